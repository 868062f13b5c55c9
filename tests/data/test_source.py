"""Sources of samples: files, folders and array-like objects."""

import os

import numpy as np
import pytest

import ae_multi
from ae_multi.errors import InputError

pytestmark = [pytest.mark.backend, pytest.mark.once]

X = np.random.default_rng(0).random((50, 3, 2)).astype(np.float32)
ROWS = np.array([7, 49, 0, 12, 13, 30, 29])


def npy(folder):
    np.save(folder / "x.npy", X)
    return folder / "x.npy", X


def shards(folder):
    for number, part in enumerate(np.split(X, [20, 21])):
        np.save(folder / f"part-{number}.npy", part)
    (folder / "notes.txt").write_text("not a shard")
    return folder, X


def parquet(folder):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    frame = pandas.DataFrame({"a": X[:, 0, 0], "b": np.arange(50)})
    frame.to_parquet(folder / "x.parquet", row_group_size=16)
    return folder / "x.parquet", np.column_stack([X[:, 0, 0], np.arange(50)])


def images(folder):
    from PIL import Image

    pixels = np.random.default_rng(1).integers(0, 256, (50, 4, 5), np.uint8)
    for number, image in enumerate(pixels):
        Image.fromarray(image).save(folder / f"{number:02}.png")
    return folder, pixels[..., np.newaxis]


def sequence(folder):
    class Sequence:
        shape, dtype, chunks = X.shape, X.dtype, (16, 3, 2)

        def __getitem__(self, rows):
            assert isinstance(rows, slice) or (np.diff(rows) > 0).all()  # as h5py requires
            return X[rows]

    return Sequence(), X


@pytest.mark.parametrize("make", [npy, shards, parquet, images, sequence])
def test_rows_are_those_of_the_array(make, tmp_path):
    data, expected = make(tmp_path)
    source = ae_multi.source(data)
    assert (len(source), source.shape) == (50, expected.shape)
    assert source.dtype == (np.uint8 if expected.dtype == np.uint8 else np.float32)
    for rows in (slice(None), slice(18, 23), slice(48, 99), ROWS, ROWS[:1], np.arange(0)):
        chosen = source[rows]
        assert chosen.dtype == source.dtype
        np.testing.assert_array_equal(chosen, expected[rows].astype(source.dtype))


def test_transform_is_applied_to_each_read(tmp_path):
    source = ae_multi.source(npy(tmp_path)[0], transform=lambda x: x.reshape(len(x), 6) * 2)
    assert source.shape == (50, 6)
    np.testing.assert_array_equal(source[ROWS], X[ROWS].reshape(-1, 6) * 2)
    with pytest.raises(InputError, match=r"shape \(1, 2\) for 1 samples of .*\(3, 2\)"):
        ae_multi.source(X).map(lambda x: x.reshape(-1, 2))


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x[:1],
        lambda x: np.repeat(x, 1 if len(x) == 1 else 2, axis=0),
        lambda x: x[:, : 4 - min(len(x), 2)],
        lambda x: x if len(x) == 1 else x.astype(np.uint8),
        lambda x: x.astype(str),
        lambda x: None,
    ],
    ids=["fewer", "more", "other shape", "other dtype", "text", "nothing"],
)
def test_transform_must_return_the_same_samples_at_each_read(function, tmp_path):
    with pytest.raises(InputError, match="Expected a function that returns"):
        ae_multi.source(npy(tmp_path)[0], transform=function)[:5]


def test_transform_in_place_leaves_the_stored_array_unchanged(tmp_path):
    def double(x):
        x *= 2
        return x

    path, _ = npy(tmp_path)
    array = X.copy()
    for data in (array, path, np.load(path, mmap_mode="r")):
        source = ae_multi.source(data, transform=double)
        np.testing.assert_array_equal(source[:], 2 * X)
        np.testing.assert_array_equal(source[:], 2 * X)
    np.testing.assert_array_equal(array, X)


@pytest.mark.parametrize("make", [npy, shards, images, sequence])
def test_rows_are_indexed_as_in_numpy(make, tmp_path):
    data, expected = make(tmp_path)
    source = ae_multi.source(data)
    for rows in (-1, [-1, 0, -50], np.arange(50) % 3 == 1, [3, 2], slice(None, 9, -4)):
        np.testing.assert_array_equal(source[rows], expected[rows])
    assert source[[]].shape == (0, *expected.shape[1:])
    np.testing.assert_array_equal(np.array(list(source)), expected)
    for rows in (50, -51, [0, 50], (0, 1), ..., [0.5], np.ones(49, bool)):
        with pytest.raises(IndexError, match="Expected"):
            source[rows]


def test_chosen_columns_are_read(tmp_path):
    path, expected = parquet(tmp_path)
    source = ae_multi.source(path, columns=["b"])
    np.testing.assert_array_equal(source[ROWS], expected[ROWS, 1:])
    assert source.block_size == 16
    with pytest.raises(InputError, match=r"Expected columns of .*, a, b\. Received: c"):
        ae_multi.source(path, columns=["c"])


def test_error_names_the_file_and_the_row(tmp_path):
    folder, _ = shards(tmp_path)

    def refuse(x):
        if (x[:, 0, 0] == X[33, 0, 0]).any():
            raise InputError("Expected no such value.")
        return x

    source = ae_multi.source(folder, transform=refuse)
    with pytest.raises(InputError, match=r"no such value. The sample is part-2.npy, row 12\.$"):
        source[:]


@pytest.mark.parametrize("change", ["cut", "rewritten", "removed"])
def test_change_of_a_file_is_an_error(change, tmp_path):
    path, _ = npy(tmp_path)
    source = ae_multi.source(path)
    source.check_unchanged()
    before = source.fingerprint()
    if change == "cut":
        os.truncate(path, 200)
    elif change == "rewritten":
        np.save(path, X + 1)
        os.utime(path, (1, 1))
        assert ae_multi.source(path).fingerprint() != before
    else:
        path.unlink()
    with pytest.raises(InputError, match=r"Expected .*x\.npy"):
        source.check_unchanged()
    with pytest.raises(InputError, match=r"Expected .*x\.npy"):
        source[:3]
    if change == "cut":
        with pytest.raises(InputError, match=r"Expected a complete \.npy file of numbers"):
            ae_multi.source(path)


def test_unsuitable_data_are_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "words.npy").write_text("words")
    np.save(tmp_path / "objects.npy", np.array([{}]), allow_pickle=True)
    np.save(tmp_path / "text.npy", np.array(["a"]))
    np.save(tmp_path / "none.npy", np.empty((0, 3)))
    np.save(tmp_path / "empty" / "a.npy", X)
    np.save(tmp_path / "empty" / "b.npy", X[:, 0])
    for name, message in {
        "objects.npy": r"complete .npy file of numbers.*pickled objects, or another kind",
        "words.npy": r"complete .npy file of numbers.*another kind of file\)",
        "text.npy": "Expected numbers",
        "none.npy": "Expected samples",
        "missing.npy": "Expected to be able to read",
        "x.csv": "Expected an .npy or .parquet file or a folder",
        "empty": r"Expected .*b\.npy to have samples of float32 and of shape \(3, 2\)",
    }.items():
        with pytest.raises(InputError, match=message):
            ae_multi.source(tmp_path / name)
    with pytest.raises(InputError, match="array-like"):
        ae_multi.source(iter(X))
    for size in (0, -3, 1.5):
        with pytest.raises(InputError, match="block_size"):
            ae_multi.source(X, block_size=size)


def test_pandas_objects_are_refused_since_their_index_is_by_label():
    pandas = pytest.importorskip("pandas")
    with pytest.raises(InputError, match="to_numpy"):
        ae_multi.source(pandas.Series(np.arange(3.0), index=[2, 1, 0]))


def test_parquet_columns_must_be_numbers_in_every_file(tmp_path):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    frame = pandas.DataFrame({"a": [1.0, 2.0], "b": [True, None]}, dtype=object)
    frame.convert_dtypes().to_parquet(tmp_path / "1.parquet")
    source = ae_multi.source(tmp_path)
    assert source.dtype == np.float32
    np.testing.assert_array_equal(source[:], np.array([[1, 1], [2, np.nan]], np.float32))
    dates = pandas.DataFrame({"a": pandas.to_datetime(["2026-01-01"]), "b": [1]})
    for other in (dates, dates.astype({"a": "category"}), dates.astype({"a": str}), dates[["b"]]):
        other.to_parquet(tmp_path / "2.parquet")
        with pytest.raises(InputError, match=r"Expected columns of .*2\.parquet"):
            ae_multi.source(tmp_path)
    with pytest.raises(InputError, match="Expected a list"):
        ae_multi.source(tmp_path / "1.parquet", columns="ab")


def test_images_of_more_than_8_bits_are_refused(tmp_path):
    from PIL import Image

    for number, dtype in enumerate((np.uint16, np.int32, np.float32)):
        path = tmp_path / str(number)
        path.mkdir()
        Image.fromarray(np.full((4, 4), 300, dtype)).save(path / "0.tif")
        with pytest.raises(InputError, match="8 bits"):
            ae_multi.source(path)
