"""Run the kernel of small products: ``… -m tests.reference.multiplied INPUTS OUTPUTS``.

It runs in a separate process, since without a GPU Triton must be configured to interpret kernels
before its import. The inputs are ``CASE.one``, ``CASE.other`` and optionally ``CASE.bias``,
``CASE.kept`` and ``CASE.relu``; ``CASE.turned`` states which of the two factors are stored
transposed. The outputs are named ``CASE``.
"""

import os
import sys

import numpy as np
import torch

if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"


def surrounded_by_nan(array, turned=False):
    """Return ``array`` as a view of a tensor that is NaN elsewhere, stored transposed if turned."""
    array = array.T if turned else array
    memory = torch.full([size + 3 for size in array.shape], torch.nan)
    memory = memory.to("cuda" if torch.cuda.is_available() else "cpu")
    part = memory[tuple(slice(1, -2) for _ in array.shape)]
    part.copy_(torch.from_numpy(array.copy()))
    return part.t() if turned else part


def main(inputs, outputs):
    """Multiply the factors of each case and write the products.

    Args:
        inputs: path of the .npz file of inputs.
        outputs: path of the .npz file to write.
    """
    from ae_multi.backends.torch.cuda.kernels import multiply

    cases, products = {}, {}
    for name, array in np.load(inputs).items():
        case, _, part = name.rpartition(".")
        cases.setdefault(case, {})[part] = array
    for name, case in cases.items():
        turned = dict(zip(("one", "other"), case.pop("turned"), strict=True))
        for part, array in case.items():
            is_turned = turned.get(part, False)
            case[part] = bool(array) if part == "relu" else surrounded_by_nan(array, is_turned)
        products[name] = multiply(case.pop("one"), case.pop("other"), **case).cpu().numpy()
    np.savez(outputs, **products)


if __name__ == "__main__":
    main(*sys.argv[1:])
