"""Run the kernel of small products: ``python -m tests.reference.multiplied GIVEN.npz MADE.npz``.

A process of its own, since without a GPU Triton has to know before its import that it is to
interpret. Arrays given are ``CASE.one``, ``.other`` and, where wanted, ``.bias``, ``.kept`` and
``.relu``; ``.turned`` says whose columns are to lie side by side in memory.
"""

import os
import sys

import numpy as np
import torch

if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"


def placed(array, turned=False):
    """Copy ``array`` into memory surrounded by NaN."""
    array = array.T if turned else array
    made = torch.full([size + 3 for size in array.shape], torch.nan)
    made = made.to("cuda" if torch.cuda.is_available() else "cpu")
    part = made[tuple(slice(1, -2) for _ in array.shape)]
    part.copy_(torch.from_numpy(array.copy()))
    return part.t() if turned else part


def main(given, wanted):
    """Multiply each case and write the results under their names."""
    from ae_multi.backends.torch.cuda.kernels import multiply

    cases, made = {}, {}
    for name, array in np.load(given).items():
        case, _, part = name.rpartition(".")
        cases.setdefault(case, {})[part] = array
    for name, case in cases.items():
        turned = dict(zip(("one", "other"), case.pop("turned"), strict=True))
        for part, array in case.items():
            case[part] = bool(array) if part == "relu" else placed(array, turned.get(part, False))
        made[name] = multiply(case.pop("one"), case.pop("other"), **case).cpu().numpy()
    np.savez(wanted, **made)


if __name__ == "__main__":
    main(*sys.argv[1:])
