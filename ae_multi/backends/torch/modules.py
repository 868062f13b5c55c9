"""The few modules that `torch.nn` lacks, in plain PyTorch."""

import torch
from torch import nn


class Permute(nn.Module):
    """Orders axes anew; ``axes`` leaves out the first, the samples'."""

    def __init__(self, axes: tuple[int, ...]):
        super().__init__()
        self.axes = [0, *axes]

    def forward(self, x):
        """The same numbers, with ``axes`` behind the samples'."""
        return x.permute(self.axes)

    def extra_repr(self):
        """The axes, for `print`."""
        return str(tuple(self.axes))


class TopK(nn.Module):
    """Keeps the ``k`` largest of a sample's codes, (n, codes), and sets the others to 0."""

    def __init__(self, k: int):
        super().__init__()
        self.k = k

    def forward(self, x):
        """As `ae_multi.models.sparse.TopK`: what equals the k-th largest stays."""
        least = torch.topk(x, self.k)[0][:, -1:]  # (n, 1)
        return torch.where(x >= least, x, torch.zeros_like(x))


class FirstHalf(nn.Module):
    """The means of a variational code, which its log variances follow on the last axis."""

    def forward(self, x):
        """(n, ..., codes) of (n, ..., 2 codes)."""
        return x[..., : x.shape[-1] // 2]


class NearestWord(nn.Module):
    """Replaces vectors by the nearest of a codebook, ``weight`` (words, size).

    In training gradients pass straight through to the vectors, as in van den Oord et al. 2017;
    the losses that move the words are not part of it.
    """

    def __init__(self, words: int, size: int):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(words, size))

    def forward(self, x):
        """The words nearest to ``x``, (n, ..., size)."""
        # |z - e|² less |z|², which is the same for all words.
        distances = self.weight.square().sum(1) - 2 * x @ self.weight.T  # (n, ..., words)
        words = self.weight[distances.argmin(-1)]
        return x + (words - x).detach() if self.training else words
