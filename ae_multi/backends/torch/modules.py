"""Modules that `torch.nn` lacks, in plain PyTorch."""

import torch
from torch import nn


class Permute(nn.Module):
    """Permute the axes of an array, except the first.

    Args:
        axes: the new order of all axes but the first.
    """

    def __init__(self, axes: tuple[int, ...]) -> None:
        super().__init__()
        self.axes = [0, *axes]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return ``x`` with its axes in the new order."""
        return x.permute(self.axes)

    def extra_repr(self) -> str:
        """Return the axes, for `print`."""
        return str(tuple(self.axes))


class TopK(nn.Module):
    """Keep the ``k`` largest codes of each sample and set the others to 0."""

    def __init__(self, k: int) -> None:
        super().__init__()
        self.k = k

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the sparse codes, (n, codes).

        As in `ae_multi.models.sparse.TopK`, all codes that equal the k-th largest are returned.
        """
        threshold = torch.topk(x, self.k)[0][:, -1:]  # (n, 1)
        return torch.where(x >= threshold, x, torch.zeros_like(x))


class FirstHalf(nn.Module):
    """Return the means of a variational code, the first half of its last axis.

    The second half contains the logarithms of the variances.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (n, ..., 2 codes) to (n, ..., codes)."""
        return x[..., : x.shape[-1] // 2]


class NearestWord(nn.Module):
    """Replace vectors by the nearest vector of a codebook.

    In training, gradients pass straight through to the inputs, as in van den Oord et al. 2017.
    The losses that train the codebook are not included.

    Args:
        words: number of vectors in the codebook.
        size: size of a vector.

    Attributes:
        weight: the codebook, (words, size).
    """

    def __init__(self, words: int, size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(words, size))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the codebook vectors nearest to ``x``, (n, ..., size)."""
        # |z - e|² minus |z|², which is the same for all codebook vectors.
        distances = self.weight.square().sum(1) - 2 * x @ self.weight.T  # (n, ..., words)
        words = self.weight[distances.argmin(-1)]
        return x + (words - x).detach() if self.training else words
