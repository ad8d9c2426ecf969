"""Downloads, against a server on 127.0.0.1: a file is whole and checked or it is not there."""

import gzip
import hashlib
import http.server
import threading

import numpy as np
import pytest
from dataset_files import CIFAR_NAMES, cifar_content, mnist_content, tar_bytes, write

from minigrad.vision.datasets import CIFAR10, MNIST, DatasetError, files


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves `server.content`, {name: bytes}; under /cut half of it, under /long twice, under /wrong other bytes."""

    def do_GET(self):
        self.server.requests.append(self.path)
        kind, _, name = self.path[1:].rpartition("/")
        content = self.server.content.get(name)
        if content is None:
            self.send_error(404)
            return
        self.send_response(200)
        if kind == "long":
            content = content * 2
        elif kind == "wrong":
            content = bytes(reversed(content))
        if kind != "endless":
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if kind == "cut" else content)

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.content, server.requests = {}, []
        server.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def identity(content):
    return len(content), hashlib.sha256(content).hexdigest()


def left_over(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def mnist(server):
    """MNIST as published by the server, and its arrays."""
    content, images, labels = mnist_content(compress=True)
    server.content.update(content)

    class ServedMNIST(MNIST):
        mirrors = (server.url,)
        resources = {name: identity(data) for name, data in content.items()}  # noqa: RUF012

    return ServedMNIST, images, labels


@pytest.mark.parametrize("by_root", [False, True])
def test_mnist(server, mnist, tmp_path, empty_data_folder, by_root):
    served, images, labels = mnist
    root, place = (tmp_path / "new", tmp_path / "new") if by_root else (None, empty_data_folder)
    dataset = served(root, download=True)
    np.testing.assert_array_equal(dataset.data, images)
    np.testing.assert_array_equal(dataset.targets, labels)
    assert left_over(place) == sorted(f"MNIST/raw/{name}" for name in served.resources)
    assert len(server.requests) == 2
    served(root, download=True)  # there already
    served(root)
    assert len(server.requests) == 2


def test_only_what_is_missing_is_fetched(server, mnist, tmp_path):
    served, _, _ = mnist
    served(tmp_path, download=True)
    labels = tmp_path / "MNIST" / "raw" / "train-labels-idx1-ubyte.gz"
    labels.unlink()
    served(tmp_path, download=True)
    assert server.requests[2:] == ["/train-labels-idx1-ubyte.gz"]


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("cut", "ended after"),
        ("long", "more than"),
        ("wrong", "the published file has"),
        ("absent/deeper", "404"),
    ],
)
def test_a_bad_transfer_leaves_nothing(server, mnist, tmp_path, kind, message):
    served, _, _ = mnist
    served.mirrors = (f"{server.url}/{kind}",)
    if kind.startswith("absent"):
        server.content.clear()
    with pytest.raises(DatasetError, match=message) as caught:
        served(tmp_path, download=True)
    assert f"{server.url}/{kind}/train-images-idx3-ubyte.gz" in str(caught.value)
    assert left_over(tmp_path) == []


def test_the_next_mirror_steps_in(server, mnist, tmp_path):
    served, images, _ = mnist
    served.mirrors = ("http://127.0.0.1:9", f"{server.url}/cut", f"{server.url}/wrong/", f"{server.url}/good/")
    np.testing.assert_array_equal(served(tmp_path, download=True).data, images)


def test_an_interrupt_leaves_nothing(mnist, tmp_path, monkeypatch):
    served, _, _ = mnist
    monkeypatch.setattr(files, "BLOCK", 64)
    blocks = []

    class InterruptedBar(files.tqdm):
        def update(self, n):
            blocks.append(n)
            if len(blocks) == 3:
                raise KeyboardInterrupt

    monkeypatch.setattr(files, "tqdm", InterruptedBar)
    with pytest.raises(KeyboardInterrupt):
        served(tmp_path, download=True)
    assert left_over(tmp_path) == []


def test_the_old_file_stays_until_the_new_one_is_whole(server, tmp_path):
    old = tmp_path / "file"
    old.write_bytes(b"old")
    server.content["file"] = b"new content"
    with pytest.raises(DatasetError):
        files.download("file", *identity(b"other"), [server.url], tmp_path)
    assert old.read_bytes() == b"old"
    assert files.download("file", *identity(b"new content"), [server.url], tmp_path) == old
    assert old.read_bytes() == b"new content"
    assert left_over(tmp_path) == ["file"]


def test_published_hashes_are_complete():
    for dataset in (MNIST, *MNIST.__subclasses__()):
        for size, sha256 in dataset.resources.values():
            assert size > 0 and len(bytes.fromhex(sha256)) == 32
    assert len(bytes.fromhex(CIFAR10.resource[1])) == 32


def served_cifar(server, archive):
    server.content[CIFAR10.archive] = archive

    class ServedCIFAR10(CIFAR10):
        mirrors = (server.url,)
        resource = identity(archive)

    return ServedCIFAR10


def test_cifar10(server, tmp_path):
    content, images, labels = cifar_content()
    served = served_cifar(server, tar_bytes(content | {"../../escaped": b"x", "readme.html": b"x"}))
    dataset = served(tmp_path, download=True)
    np.testing.assert_array_equal(dataset.data, images[:20])
    np.testing.assert_array_equal(dataset.targets, labels[:20])
    unpacked = [f"cifar-10-batches-bin/{name}" for name in CIFAR_NAMES]
    assert left_over(tmp_path) == sorted([*unpacked, CIFAR10.archive])
    (tmp_path / unpacked[2]).unlink()
    assert len(served(tmp_path, download=True)) == 20  # unpacked again, not fetched again
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("archive", "message"),
    [
        (tar_bytes(dict.fromkeys(CIFAR_NAMES[:3], bytes(3073))), "data_batch_4.bin"),
        (tar_bytes(dict.fromkeys(CIFAR_NAMES, bytes(30_730_001))), "no file of at most 30730000 bytes"),
        (tar_bytes(cifar_content()[0])[:-2000], "cannot be unpacked"),
        (gzip.compress(b"no archive" * 100), "cannot be unpacked"),
        (b"no archive either", "cannot be unpacked"),
    ],
    ids=["a file missing", "a file too long", "cut off", "no tar", "no gzip"],
)
def test_damaged_cifar10_archive(server, tmp_path, archive, message):
    served = served_cifar(server, archive)
    write(tmp_path, {CIFAR10.archive: archive})
    with pytest.raises(DatasetError, match=message):
        served(tmp_path, download=True)
    assert not any(name.endswith(".part") for name in left_over(tmp_path))
