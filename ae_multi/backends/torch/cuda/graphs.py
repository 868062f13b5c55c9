"""Recorded steps as CUDA graphs: one launch runs many steps."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch

from ae_multi.backends.device_data import BUILDING
from ae_multi.backends.torch.compile import Step

# Between two graphs the device is idle for some microseconds, which is noticeable in small steps.
_STEPS_PER_GRAPH = 16


class CudaGraphs:
    """Capture one step and a sequence of steps as CUDA graphs, and replay them.

    A CUDA graph uses fixed addresses. The tensors of the state belong to the model and are not
    moved. Indices are copied to the graph's input buffer, and logs from its output buffers.

    Args:
        step: function of (state, arrays, row) that changes the state in place and returns logs.
    """

    def __init__(self, step: Step) -> None:
        self._step = step
        self._addresses: list[Any] | None = None
        self._captured: dict[int, _Captured] = {}

    def __call__(
        self, state: Sequence[torch.Tensor], arrays: Sequence[torch.Tensor], rows: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """Run one step for each of ``rows``.

        Returns:
            Dict of name to the logs after each step, on the device.
        """
        # The shapes are compared too, because other data may have the same address.
        addresses = [(tensor.data_ptr(), tensor.shape) for tensor in (*state, *arrays)]
        if addresses != self._addresses:
            self._addresses, self._captured = addresses, {}
        together = len(rows) // _STEPS_PER_GRAPH * _STEPS_PER_GRAPH
        collected = [
            *self._replayed(_STEPS_PER_GRAPH, state, arrays, rows[:together]),
            *self._replayed(1, state, arrays, rows[together:]),
        ]
        return {name: torch.cat([logs[name] for logs in collected]) for name in collected[0]}

    def _replayed(self, steps, state, arrays, rows) -> Iterator[dict[str, torch.Tensor]]:
        """Run all ``rows`` by the graph of ``steps`` steps; yield the logs of each replay."""
        for chunk in rows.split(steps) if len(rows) else ():
            if steps not in self._captured:
                with BUILDING:
                    self._captured[steps] = _Captured(self._step, state, arrays, chunk)
            yield self._captured[steps](chunk)


class _Captured:
    """A CUDA graph that runs one step for each of ``rows``."""

    def __init__(self, step, state, arrays, rows):
        self._rows = rows.clone()
        before = [tensor.clone() for tensor in state]
        # PyTorch requires a few warm-up runs on a side stream, in which libraries initialize.
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        try:
            with torch.cuda.stream(side):
                for _ in range(3):
                    step(state, arrays, self._rows[0])
            torch.cuda.current_stream().wait_stream(side)
            self._graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self._graph):
                collected = [step(state, arrays, row) for row in self._rows]
                self._logs = stacked(collected)
        finally:
            torch._foreach_copy_(state, before)

    def __call__(self, rows: torch.Tensor) -> dict[str, torch.Tensor]:
        self._rows.copy_(rows)
        self._graph.replay()
        return {name: values.clone() for name, values in self._logs.items()}


def stacked(collected: Sequence[dict[str, Any]]) -> dict[str, torch.Tensor]:
    """Stack the logs of several steps into a dict of tensors (steps, ...)."""
    return {
        name: torch.stack([torch.as_tensor(logs[name]) for logs in collected])
        for name in collected[0]
    }
