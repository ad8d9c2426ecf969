"""Downloads, against a server on 127.0.0.1: a file is whole and checked or not there; the rest is fetched later."""

import gzip
import hashlib
import http.server
import threading

import numpy as np
import pytest
from dataset_files import CIFAR_NAMES, cifar_content, mnist_content, tar_bytes, write

from minigrad.vision.datasets import CIFAR10, CIFAR100, MNIST, DatasetError, cifar, fetching


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves `server.content`, {name: bytes}, and parts of it that are asked for.

    Under /cut the second half of what is asked for is missing, under /long it comes twice, under /wrong it is other
    bytes, under /whole parts are never served, under /shifted another part is.
    """

    def do_GET(self):
        self.server.requests.append(self.path)
        self.server.ranges.append(self.headers["Range"])
        kind, _, name = self.path[1:].rpartition("/")
        content = self.server.content.get(name)
        if content is None:
            self.send_error(404)
            return
        start = 0
        if self.headers["Range"] and kind != "whole":
            start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
            if start >= len(content):
                self.send_error(416)
                return
            self.send_response(206)
            first = start + (kind == "shifted")
            self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
        content = content[start:]
        if kind == "long":
            content = content * 2
        elif kind == "wrong":
            content = bytes(reversed(content))
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if kind == "cut" else content)

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.content, server.requests, server.ranges = {}, [], []
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


def test_after_an_interrupt_only_the_rest_is_fetched(server, mnist, tmp_path, monkeypatch):
    served, images, _ = mnist
    blocks = []

    class InterruptedBar(fetching.tqdm):
        def update(self, n):
            blocks.append(n)
            if len(blocks) == 3:
                raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(fetching, "BLOCK", 64)
        patch.setattr(fetching, "tqdm", InterruptedBar)
        served(tmp_path, download=True)
    assert left_over(tmp_path) == ["MNIST/raw/train-images-idx3-ubyte.gz.part"]
    np.testing.assert_array_equal(served(tmp_path, download=True).data, images)
    assert server.ranges[:2] == [None, "bytes=192-"]
    assert left_over(tmp_path) == sorted(f"MNIST/raw/{name}" for name in served.resources)


CONTENT = bytes(range(256)) * 40


def fetch(server, tmp_path, *kinds):
    server.content["file"] = CONTENT
    return fetching.download("file", *identity(CONTENT), [f"{server.url}/{kind}" for kind in kinds], tmp_path)


@pytest.mark.parametrize("checksum", [hashlib.sha256, hashlib.md5])
def test_each_attempt_goes_on_where_the_last_one_ended(server, tmp_path, checksum):
    server.content["file"] = CONTENT
    what = "file", len(CONTENT), checksum(CONTENT).hexdigest()
    for received in (5120, 7680):
        with pytest.raises(DatasetError, match=f"ended after {received} of 10240 bytes"):
            fetching.download(*what, [f"{server.url}/cut"], tmp_path)
        assert (tmp_path / "file.part").read_bytes() == CONTENT[:received]
    assert fetching.download(*what, [f"{server.url}/good"], tmp_path).read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=5120-", "bytes=7680-"]
    assert left_over(tmp_path) == ["file"]


def test_the_next_mirror_goes_on(server, tmp_path):
    assert fetch(server, tmp_path, "cut", "cut", "good").read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=5120-", "bytes=7680-"]


@pytest.mark.parametrize(
    ("beginning", "kind", "ranges"),
    [
        (CONTENT[:100], "whole", ["bytes=100-"]),  # the mirror ignores what is asked for
        (bytes(100), "whole", ["bytes=100-"]),
        (bytes(100), "good", ["bytes=100-", None]),  # the beginning turns out wrong
        (bytes(len(CONTENT)), "good", [None]),
        (bytes(len(CONTENT) + 1), "good", [None]),
        (CONTENT, "good", []),  # an interrupt just before the file got its name
        (b"", "good", [None]),
    ],
)
def test_what_is_there_already(server, tmp_path, beginning, kind, ranges):
    (tmp_path / "file.part").write_bytes(beginning)
    assert fetch(server, tmp_path, kind).read_bytes() == CONTENT
    assert server.ranges == ranges
    assert left_over(tmp_path) == ["file"]


@pytest.mark.parametrize(
    ("kind", "message", "left"),
    [
        ("shifted", "another part than the one from byte 100 on", ["file.part"]),
        ("wrong", "the published file has", []),
        ("long", "more than", []),
    ],
)
def test_a_bad_rest(server, tmp_path, kind, message, left):
    (tmp_path / "file.part").write_bytes(CONTENT[:100])
    with pytest.raises(DatasetError, match=message):
        fetch(server, tmp_path, kind)
    assert left_over(tmp_path) == left
    assert fetch(server, tmp_path, "good").read_bytes() == CONTENT


def test_a_shorter_file_on_the_server(server, tmp_path):
    (tmp_path / "file.part").write_bytes(CONTENT[:100])
    server.content["file"] = CONTENT[:100]
    with pytest.raises(DatasetError, match="less than the 10240 bytes"):
        fetching.download("file", *identity(CONTENT), [server.url], tmp_path)
    assert left_over(tmp_path) == []


def test_several_at_once(server, tmp_path):
    server.content["file"] = CONTENT
    threads = [
        threading.Thread(target=fetching.download, args=("file", *identity(CONTENT), [server.url], tmp_path))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert server.requests == ["/file"]  # the others waited
    assert left_over(tmp_path) == ["file"]


def test_the_old_file_stays_until_the_new_one_is_whole(server, tmp_path):
    old = tmp_path / "file"
    old.write_bytes(b"old")
    server.content["file"] = b"new content"
    with pytest.raises(DatasetError):
        fetching.download("file", *identity(b"other"), [server.url], tmp_path)
    assert old.read_bytes() == b"old"
    assert fetching.download("file", *identity(b"new content"), [server.url], tmp_path) == old
    assert old.read_bytes() == b"new content"
    assert left_over(tmp_path) == ["file"]


def test_published_hashes_are_complete():
    for dataset in (MNIST, *MNIST.__subclasses__()):
        for size, sha256 in dataset.resources.values():
            assert size > 0 and len(bytes.fromhex(sha256)) == 32
    for dataset in (CIFAR10, CIFAR100):
        assert len(bytes.fromhex(dataset.resource[1])) == 32


def served_cifar(server, archive):
    server.content[CIFAR10.archive] = archive

    class ServedCIFAR10(CIFAR10):
        mirrors = (server.url,)
        resource = identity(archive)

    return ServedCIFAR10


def test_cifar10(server, tmp_path):
    content, images, labels = cifar_content()
    served = served_cifar(
        server, tar_bytes(content | {"batches.meta": b"x", "../../escaped": b"x", "readme.html": b"x"})
    )
    dataset = served(tmp_path, download=True)
    np.testing.assert_array_equal(dataset.data, images[:20])
    np.testing.assert_array_equal(dataset.targets, labels[:20])
    unpacked = [f"cifar-10-batches-py/{name}" for name in (*CIFAR_NAMES, "batches.meta")]
    assert left_over(tmp_path) == sorted([*unpacked, CIFAR10.archive])
    (tmp_path / unpacked[2]).unlink()
    assert len(served(tmp_path, download=True)) == 20  # unpacked again, not fetched again
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("archive", "message"),
    [
        (tar_bytes(dict.fromkeys(CIFAR_NAMES[:3], bytes(3073))), "data_batch_4"),
        (tar_bytes(dict.fromkeys(CIFAR_NAMES, bytes(30_001))), "no file of at most 30000 bytes"),
        (tar_bytes(cifar_content()[0])[:-2000], "cannot be unpacked"),
        (gzip.compress(b"no archive" * 100), "cannot be unpacked"),
        (b"no archive either", "cannot be unpacked"),
    ],
    ids=["a file missing", "a file too long", "cut off", "no tar", "no gzip"],
)
def test_damaged_cifar10_archive(server, tmp_path, archive, message, monkeypatch):
    monkeypatch.setattr(cifar, "LARGEST", 30_000)
    served = served_cifar(server, archive)
    write(tmp_path, {CIFAR10.archive: archive})
    with pytest.raises(DatasetError, match=message):
        served(tmp_path, download=True)
    assert not any(name.endswith(".part") for name in left_over(tmp_path))
