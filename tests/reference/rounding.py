"""Float64 arithmetic with bounds of the errors of float32 arithmetic.

Running error analysis (Higham, Accuracy and Stability of Numerical Algorithms, 3.3): each operation
adds its own rounding error to the propagated errors of its operands.
"""

import numpy as np

UNIT = 2.0**-24
# Compilers approximate divisions and roots with errors of up to three units.
_APPROXIMATE = 3 * UNIT


class Rounded:
    """Values, each with a bound of its error in float32 arithmetic.

    Args:
        value: array or number, float64.
        error: bound of the absolute error, of the same shape or a number.
    """

    __array_ufunc__ = None  # NumPy defers operators to this class

    def __init__(self, value, error=0.0):
        self.value = np.asarray(value, np.float64)
        self.error = np.broadcast_to(error, self.value.shape).astype(np.float64)

    def __add__(self, other):
        other = rounded(other)
        value = self.value + other.value
        return Rounded(value, self.error + other.error + UNIT * abs(value))

    def __mul__(self, other):
        other = rounded(other)
        value = self.value * other.value
        error = abs(self.value) * other.error + abs(other.value) * self.error
        return Rounded(value, error + self.error * other.error + UNIT * abs(value))

    def __truediv__(self, other):
        other = rounded(other)
        value = self.value / other.value
        error = (self.error + abs(value) * other.error) / (abs(other.value) - other.error)
        return Rounded(value, error + _APPROXIMATE * abs(value))

    def __neg__(self):
        return Rounded(-self.value, self.error)

    def __sub__(self, other):
        return self + -rounded(other)

    def __pow__(self, exponent):
        value = self.value**exponent
        steep = abs(exponent * value / self.value)
        # Powers are computed by logarithms, whose rounding is multiplied.
        own = UNIT * value * (1 + abs(exponent * np.log(self.value)))
        return Rounded(value, steep * self.error + own)

    def __matmul__(self, other):
        value = self.value @ other.value
        error = abs(self.value) @ other.error + self.error @ abs(other.value)
        terms = self.value.shape[-1]
        return Rounded(value, error + terms * UNIT * abs(self.value) @ abs(other.value))

    def __getitem__(self, place):
        return Rounded(self.value[place], self.error[place])

    def __radd__(self, other):
        return rounded(other) + self

    def __rsub__(self, other):
        return rounded(other) - self

    def __rmul__(self, other):
        return rounded(other) * self

    def __rtruediv__(self, other):
        return rounded(other) / self

    def __abs__(self):
        return Rounded(abs(self.value), self.error)

    @property
    def T(self):  # noqa: N802
        """The transpose."""
        return Rounded(self.value.T, self.error.T)

    def sqrt(self):
        """The square root."""
        value = np.sqrt(self.value)
        lower = np.sqrt(np.maximum(self.value - self.error, 0))
        return Rounded(value, value - lower + _APPROXIMATE * value)

    def sign(self):
        """The sign; its argument must be larger than its error."""
        assert (abs(self.value) > 4 * self.error).all()
        return Rounded(np.sign(self.value))

    def sum(self, axis=None, keepdims=False):
        """The sum along ``axis``, in any order."""
        terms = self.value.size if axis is None else self.value.shape[axis]
        error = self.error + terms * UNIT * abs(self.value)
        return Rounded(self.value.sum(axis, keepdims=keepdims), error.sum(axis, keepdims=keepdims))

    def mean(self, axis=None, keepdims=False):
        """The mean along ``axis``."""
        terms = self.value.size if axis is None else self.value.shape[axis]
        return self.sum(axis, keepdims) / terms

    def minimum(self, other):
        """The smaller value."""
        return -(-self).maximum(-rounded(other))

    def maximum(self, other):
        """The larger value."""
        other = rounded(other)
        value = np.maximum(self.value, other.value)
        return Rounded(value, np.maximum(self.error, other.error))


def rounded(value):
    """Return ``value`` as `Rounded`; a Python number has the error of its float32 constant."""
    if isinstance(value, Rounded):
        return value
    return Rounded(value, abs(np.float64(np.float32(value)) - value))
