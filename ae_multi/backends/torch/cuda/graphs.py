"""Recorded steps as CUDA graphs: many steps are one launch."""

import torch

from ae_multi.backends.device_data import BUILDING

# Between two graphs the device stands idle for some microseconds, which a small step feels.
_STEPS_PER_GRAPH = 16


class CudaGraphs:
    """Captures ``step``, alone and several times over, and replays what was captured.

    A CUDA graph works on fixed addresses. The state's tensors are the model's own and stay where
    they are; indices are copied to where a graph reads them, and logs from where it leaves them.

    Args:
        step: function of (state, arrays, row) that changes the state in place and returns logs.
    """

    def __init__(self, step):
        self._step = step
        self._places, self._captured = None, {}

    def __call__(self, state, arrays, rows):
        """One step for each of ``rows``; dict of name to the logs after each, on the device."""
        # Other data may have been given the memory of those that a graph was captured on.
        places = [(tensor.data_ptr(), tensor.shape) for tensor in (*state, *arrays)]
        if places != self._places:
            self._places, self._captured = places, {}
        together = len(rows) // _STEPS_PER_GRAPH * _STEPS_PER_GRAPH
        taken = [
            *self._replayed(_STEPS_PER_GRAPH, state, arrays, rows[:together]),
            *self._replayed(1, state, arrays, rows[together:]),
        ]
        return {name: torch.cat([logs[name] for logs in taken]) for name in taken[0]}

    def _replayed(self, steps, state, arrays, rows):
        """Logs of so many steps at a time, from the graph that takes so many."""
        for part in rows.split(steps) if len(rows) else ():
            if steps not in self._captured:
                with BUILDING:
                    self._captured[steps] = _Captured(self._step, state, arrays, part)
            yield self._captured[steps](part)


class _Captured:
    """As many steps as ``rows`` has, in one graph."""

    def __init__(self, step, state, arrays, rows):
        self._rows = rows.clone()
        before = [tensor.clone() for tensor in state]
        # PyTorch asks for a few runs on a side stream first, in which libraries set themselves up.
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

    def __call__(self, rows):
        self._rows.copy_(rows)
        self._graph.replay()
        return {name: values.clone() for name, values in self._logs.items()}


def stacked(collected):
    """The logs of some steps, each a dict, as a dict of tensors (steps, ...)."""
    return {
        name: torch.stack([torch.as_tensor(logs[name]) for logs in collected])
        for name in collected[0]
    }
