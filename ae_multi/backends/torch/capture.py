"""A recorded step as a CUDA graph: the whole step is one launch."""

import torch


class CudaGraph:
    """Captures ``step`` at its first call and replays it at each later one.

    A CUDA graph works on fixed addresses. The state's tensors are the model's own and stay where
    they are; the batch's indices are copied to where the graph reads them.

    Args:
        step: function of (state, arrays, row) that changes the state in place and returns logs.
    """

    def __init__(self, step):
        self._step = step
        self._graph = None

    def __call__(self, state, arrays, row):
        """One step; the logs are copies that later steps leave alone."""
        addresses = [tensor.data_ptr() for tensor in (*state, *arrays)]
        if self._graph is None or addresses != self._addresses:
            self._capture(state, arrays, row)
            self._addresses = addresses
        self._row.copy_(row)
        self._graph.replay()
        return {name: value.clone() for name, value in self._logs.items()}

    def _capture(self, state, arrays, row):
        self._row = row.clone()
        before = [tensor.clone() for tensor in state]
        # PyTorch asks for a few runs on a side stream first, in which libraries set themselves up.
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                self._step(state, arrays, self._row)
        torch.cuda.current_stream().wait_stream(side)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._logs = self._step(state, arrays, self._row)
        torch._foreach_copy_(state, before)
