"""MNIST: sources, downloads and errors."""

import functools
import gzip
import hashlib
import http.server
import logging
import pathlib
import shutil
import socket
import threading
import time

import numpy as np
import pytest

from ae_multi.data import load_data, mnist
from ae_multi.data.idx import write_idx_header
from ae_multi.errors import InputError


@pytest.fixture
def small(monkeypatch, tmp_path):
    """Return the arrays of a small data set, whose checksums replace those of MNIST."""
    rng = np.random.default_rng(0)
    arrays = {
        "x_train": rng.integers(0, 256, (6, 28, 28), np.uint8),
        "y_train": rng.integers(0, 10, 6).astype(np.uint8),
        "x_test": rng.integers(0, 256, (3, 28, 28), np.uint8),
        "y_test": rng.integers(0, 10, 3).astype(np.uint8),
    }
    parts = {}
    for name, array in arrays.items():
        idx = write_idx_header(array.shape) + array.tobytes()
        parts[name] = (mnist.PARTS[name][0], array.shape, hashlib.sha256(idx).hexdigest())
    monkeypatch.setattr(mnist, "PARTS", parts)
    monkeypatch.delenv(mnist.VARIABLE, raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    return arrays


def write_folder(folder, arrays, pack=bytes, suffix=""):
    folder.mkdir()
    for name, array in arrays.items():
        path = folder / f"{mnist.PARTS[name][0]}{suffix}"
        path.write_bytes(pack(write_idx_header(array.shape) + array.tobytes()))
    return folder


def check(data, arrays):
    assert data.name == "mnist"
    assert data.x_train.dtype == np.float32
    assert data.y_train.dtype == np.int64
    for part in ("train", "test"):
        images = getattr(data, f"x_{part}")
        assert images.shape == (*arrays[f"x_{part}"].shape, 1)
        np.testing.assert_array_equal(np.round(images[..., 0] * 255), arrays[f"x_{part}"])
        np.testing.assert_array_equal(getattr(data, f"y_{part}"), arrays[f"y_{part}"])


@pytest.mark.parametrize(("pack", "suffix"), [(bytes, ""), (gzip.compress, ".gz")])
def test_folder_of_idx_files_is_read(small, tmp_path, pack, suffix):
    data = load_data("mnist", write_folder(tmp_path / "idx", small, pack, suffix))
    check(data, small)
    assert data.source == "files named by the path given"


def test_npz_file_is_read(small, tmp_path):
    np.savez(tmp_path / "mnist.npz", **small)
    check(load_data("mnist", tmp_path / "mnist.npz"), small)


def test_environment_variable_names_the_folder(small, tmp_path, monkeypatch):
    monkeypatch.setenv(mnist.VARIABLE, str(write_folder(tmp_path / "idx", small)))
    data = load_data("auto")
    check(data, small)
    assert data.source == "files named by AE_MULTI_MNIST"


def test_path_takes_precedence_over_the_variable(small, tmp_path, monkeypatch):
    monkeypatch.setenv(mnist.VARIABLE, str(tmp_path / "nowhere"))
    check(load_data("mnist", write_folder(tmp_path / "idx", small)), small)


def test_keras_cache_is_read(small, tmp_path):
    (tmp_path / "keras" / "datasets").mkdir(parents=True)
    np.savez(tmp_path / "keras" / "datasets" / "mnist.npz", **small)
    data = load_data("mnist")
    check(data, small)
    assert data.source == "Keras's cache"


def test_altered_bytes_are_refused(small, tmp_path):
    small["x_test"] = small["x_test"].copy()
    small["x_test"][0, 0, 0] ^= 1
    with pytest.raises(InputError, match=r"Expected x_test .*SHA-256.*altered, or not MNIST"):
        load_data("mnist", write_folder(tmp_path / "idx", small))


def test_swapped_files_are_refused(small, tmp_path):
    folder = write_folder(tmp_path / "idx", small)
    shutil.copy(folder / mnist.PARTS["x_test"][0], folder / mnist.PARTS["x_train"][0])
    with pytest.raises(InputError, match=r"shape \(6, 28, 28\).*of shape \(3, 28, 28\)"):
        load_data("mnist", folder)


def test_error_for_a_missing_file_lists_the_existing_ones(small, tmp_path):
    folder = write_folder(tmp_path / "idx", small)
    (folder / mnist.PARTS["y_test"][0]).unlink()
    with pytest.raises(InputError, match=r"Expected t10k-labels-idx1-ubyte or .*train-images"):
        load_data("mnist", folder)


def test_missing_folder_is_an_error_even_for_auto(small, tmp_path, monkeypatch):
    monkeypatch.setenv(mnist.VARIABLE, str(tmp_path / "nowhere"))
    with pytest.raises(InputError, match="nowhere, which does not exist"):
        load_data("auto")


def test_unknown_name_is_refused():
    with pytest.raises(InputError, match=r"auto, mnist, mnist-sample, digits\. Received: 'cifar'"):
        load_data("cifar")


@pytest.mark.parametrize("name", ["mnist-sample", "digits"])
def test_path_to_bundled_data_is_refused(name, tmp_path):
    with pytest.raises(InputError, match=f"no path for '{name}'"):
        load_data(name, tmp_path)


def closed_port():
    """Return a local port to which no server listens."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


def test_without_network_auto_uses_the_sample_with_a_warning(small, monkeypatch, caplog):
    monkeypatch.setattr(mnist, "URL", f"http://127.0.0.1:{closed_port()}/mnist.npz")
    begin = time.perf_counter()
    with caplog.at_level(logging.WARNING, "ae_multi"):
        data = load_data("auto")
    assert time.perf_counter() - begin < 5
    assert data.name == "mnist-sample"
    (record,) = caplog.records
    assert record.getMessage().startswith("MNIST is not available here; using")
    assert "\n" not in record.getMessage()
    with pytest.raises(mnist.DownloadError, match=r"AE_MULTI_MNIST.*download failed"):
        load_data("mnist")


def test_unresponsive_host_times_out(small, monkeypatch):
    test_ended = threading.Event()

    def connect(*address, **limits):
        test_ended.wait()
        raise OSError("the test has ended")

    monkeypatch.setattr(mnist, "_CONNECT_SECONDS", 0.2)
    monkeypatch.setattr(mnist.socket, "create_connection", connect)
    begin = time.perf_counter()
    try:
        with pytest.raises(mnist.DownloadError, match="no answer"):
            load_data("mnist")
        assert time.perf_counter() - begin < 3
    finally:
        test_ended.set()  # ends the waiting thread


@pytest.fixture
def server(tmp_path, monkeypatch):
    """Serve a folder on a local port; yield the folder and the list of requested paths."""
    folder = tmp_path / "served"
    folder.mkdir()
    requests = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_GET(self):
            requests.append(self.path)
            super().do_GET()

        def log_message(self, *arguments):
            pass

    httpd = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Handler, directory=folder)
    )
    thread = threading.Thread(target=httpd.serve_forever)
    thread.start()
    monkeypatch.setattr(mnist, "URL", f"http://127.0.0.1:{httpd.server_port}/mnist.npz")
    yield folder, requests
    httpd.shutdown()
    thread.join()
    httpd.server_close()


@pytest.mark.backend
def test_mnist_is_downloaded_once_and_then_cached(small, server, monkeypatch, tmp_path, capfd):
    folder, requests = server
    np.savez(folder / "mnist.npz", **small)
    digest = hashlib.sha256((folder / "mnist.npz").read_bytes()).hexdigest()
    monkeypatch.setattr(mnist, "URL_SHA256", digest)
    data = load_data("mnist")
    check(data, small)
    assert data.source == f"download from {mnist.URL}"
    assert requests == ["/mnist.npz"]
    assert load_data("mnist").source == "Keras's cache"
    assert requests == ["/mnist.npz"]
    # A damaged file in the cache is downloaded again.
    cached = pathlib.Path(tmp_path / "keras" / "datasets" / "mnist.npz")
    cached.write_bytes(cached.read_bytes()[:-40])
    check(load_data("mnist"), small)
    assert requests == ["/mnist.npz"] * 2


@pytest.mark.backend
def test_download_that_is_not_mnist_is_refused(small, server):
    folder, _ = server
    np.savez(folder / "mnist.npz", **small)  # with another checksum than expected
    with pytest.raises(mnist.DownloadError, match="corrupted"):
        load_data("mnist")


@pytest.mark.backend
def test_missing_file_on_the_server_is_reported(small, server):
    with pytest.raises(mnist.DownloadError, match="404"):
        load_data("mnist")


def test_mnist_has_the_published_statistics(mnist_folder):
    data = load_data("mnist", mnist_folder)
    assert data.x_train.shape == (60000, 28, 28, 1)
    assert data.x_test.shape == (10000, 28, 28, 1)
    assert data.x_train.mean() == pytest.approx(0.1307, abs=5e-5)
    assert data.x_train.std() == pytest.approx(0.3081, abs=5e-5)
    np.testing.assert_array_equal(data.y_train[:6], [5, 0, 4, 1, 9, 2])
