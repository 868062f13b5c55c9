"""Loaders of images and tables."""

import gzip

import numpy as np

from tests.robustness.fuzz.loaders.loader import IMAGES, ROWS, Loader


def _idx():
    from ae_multi.data.idx import write_idx_header

    data = write_idx_header((20, 6, 6)) + (IMAGES[:20] * 255).astype(np.uint8).tobytes()
    return {
        "plain": lambda path: path.write_bytes(data),
        "gzip": lambda path: path.write_bytes(gzip.compress(data)),
    }


def _load_idx(path):
    from ae_multi.data.idx import read_idx

    array = read_idx(path)
    assert array.dtype == np.uint8
    assert array.nbytes == array.size


def _npz():
    arrays = {"x": (IMAGES * 255).astype(np.uint8), "y": np.arange(24, dtype=np.uint8)}
    return {
        "stored": lambda path: np.savez(path, **arrays),
        "packed": lambda path: np.savez_compressed(path, **arrays),
    }


def _load_npz(path):
    from ae_multi.data.npz import read_npz

    arrays = read_npz(path, {"x": (24, 6, 6), "y": (24,)})
    assert arrays["x"].shape == (24, 6, 6)
    assert arrays["y"].dtype == np.uint8


def _tables():
    def write(path):
        rows = [",".join(map(str, (*row, place % 7 == 0))) for place, row in enumerate(ROWS)]
        path.write_text("a,b,c,d,e,alarm\n" + "\n".join(rows) + "\n")

    return {"table": write}


def _load_table(path):
    from ae_multi.data.table import load_table

    table = load_table(path, "alarm")
    assert np.isfinite(table.x).all()
    assert table.x.shape == (len(table.anomalous), len(table.columns))


def _csv():
    lines = ["time;state;flow", "2026-01-31;on;1.5", 'NA;"a;b\nc";', "2026-02-01;öff;-1e3"]
    text = "\n".join(lines * 20) + "\n"
    return {
        encoding: lambda path, encoding=encoding: path.write_bytes(text.encode(encoding))
        for encoding in ("utf-8", "utf-16", "cp1252")
    }


def _load_csv(path):
    from ae_multi.data.csv_rows import encoding_of, read_csv

    with open(path, "rb") as file:
        encoding = encoding_of(file, path)
    with open(path, "rb") as file:
        for names, rows, lines in read_csv(file, str(path), None, encoding, 10, True):
            assert len(set(names)) == len(names)
            assert all(len(row) == len(names) for row in rows)
            assert len(lines) == len(rows)


def _mat():
    from scipy.io import savemat

    arrays = {"X": ROWS, "y": (ROWS[:, :1] > 0.9).astype(float)}
    return {
        "stored": lambda path: savemat(path, arrays),
        "packed": lambda path: savemat(path, arrays, do_compression=True),
    }


def _load_mat(path):
    from ae_multi.data.mat import read_mat

    rows, marks = read_mat(path)
    assert np.isfinite(rows).all()
    assert len(rows) == len(marks)


LOADERS = {
    "idx": Loader(".idx", _idx, _load_idx),
    "npz": Loader(".npz", _npz, _load_npz),
    "tables": Loader(".csv", _tables, _load_table),
    "csv": Loader(".csv", _csv, _load_csv),
    "mat": Loader(".mat", _mat, _load_mat),
}
