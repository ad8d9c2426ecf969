"""IDX files: what was written is read; from a damaged file comes the data or a DatasetError, and at little cost."""

import gzip
import struct

import numpy as np
import pytest
from dataset_files import idx_bytes, peak_below
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from minigrad.vision.datasets import DatasetError
from minigrad.vision.datasets.idx import read_idx

MIB = 1 << 20
LIMITS = (60_000, 28, 28)
SAMPLE = np.arange(3 * 4 * 5, dtype=np.uint8).reshape(3, 4, 5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("idx")


def read(folder, content, compressed, limits=LIMITS):
    path = folder / ("sample.gz" if compressed else "sample")
    path.write_bytes(content)
    return read_idx(path, limits)


def check_data_or_error(folder, content, compressed):
    """Damaged content gives the undamaged data or a DatasetError with the file's name, and takes a few MiB at most."""
    with peak_below(4 * MIB):
        try:
            result = read(folder, content, compressed)
        except DatasetError as error:
            assert "sample" in str(error)
        else:
            np.testing.assert_array_equal(result, SAMPLE)


@given(data=st.data(), array=array_shapes(min_dims=1, max_dims=4, max_side=7).flatmap(lambda s: arrays(np.uint8, s)))
def test_round_trip(folder, data, array):
    compressed = data.draw(st.booleans())
    limits = [data.draw(st.integers(size, 2**32 - 1)) for size in array.shape]
    content = idx_bytes(array)
    result = read(folder, gzip.compress(content) if compressed else content, compressed, limits)
    assert result.dtype == np.uint8
    np.testing.assert_array_equal(result, array)
    result[...] = 0  # writable


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("position", range(16))
def test_header_bytes(folder, position, compressed):
    content = bytearray(idx_bytes(SAMPLE))
    for value in {0, 1, 7, 8, 9, 127, 128, 255} - {content[position]}:
        damaged = content.copy()
        damaged[position] = value
        damaged = gzip.compress(damaged) if compressed else damaged
        with peak_below(4 * MIB), pytest.raises(DatasetError, match="sample"):
            read(folder, damaged, compressed)


@pytest.mark.parametrize("compressed", [False, True])
def test_truncated_anywhere(folder, compressed):
    content = idx_bytes(SAMPLE)
    content = gzip.compress(content) if compressed else content
    for length in range(len(content)):
        with pytest.raises(DatasetError, match="sample"):
            read(folder, content[:length], compressed)


@given(data=st.data())
def test_flipped_byte_of_gzip(folder, data):
    content = bytearray(gzip.compress(idx_bytes(SAMPLE)))
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    check_data_or_error(folder, content, compressed=True)


@given(content=st.binary(max_size=200), compressed=st.booleans(), wrapped=st.booleans())
def test_any_bytes(folder, content, compressed, wrapped):
    content = gzip.compress(content) if wrapped else content
    with peak_below(4 * MIB), pytest.raises(DatasetError):
        read(folder, content, compressed, limits=(2**32 - 1,) * 3)


@pytest.mark.parametrize("compressed", [False, True])
def test_trailing_bytes(folder, compressed):
    content = idx_bytes(SAMPLE) + b"\0"
    with pytest.raises(DatasetError, match=r"announces 60 bytes \(3 x 4 x 5\), the file holds more"):
        read(folder, gzip.compress(content) if compressed else content, compressed)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize(
    "shape", [(2**32 - 1,) * 3, (60_001, 28, 28), (60_000, 29, 28), (0, 28, 28), (2**32 - 1, 2**32 - 1, 0)]
)
def test_sizes_beyond_the_limits(folder, shape, compressed):
    content = struct.pack(">4B3I", 0, 0, 8, 3, *shape)
    with peak_below(4 * MIB), pytest.raises(DatasetError, match="expected 1 to 60000 x 28 x 28"):
        read(folder, gzip.compress(content) if compressed else content, compressed)


@pytest.mark.parametrize("compressed", [False, True])
def test_announced_but_not_there(folder, compressed):
    content = struct.pack(">4B3I", 0, 0, 8, 3, 60_000, 28, 28) + bytes(100)
    with peak_below(4 * MIB), pytest.raises(DatasetError, match=r"announces 47040000 bytes .* holds only 100"):
        read(folder, gzip.compress(content) if compressed else content, compressed)


def test_gzip_bomb_stops_at_the_announced_end(folder):
    bomb = gzip.compress(idx_bytes(SAMPLE) + bytes(128 * MIB))
    with peak_below(4 * MIB), pytest.raises(DatasetError, match="holds more"):
        read(folder, bomb, compressed=True)


def test_wrong_rank_and_type(folder):
    with pytest.raises(DatasetError, match=r"rank 1 in the header; expected 0x08 .* rank 3"):
        read(folder, idx_bytes(np.zeros(16)), compressed=False)
    with pytest.raises(DatasetError, match="type 0x0d"):
        read(folder, b"\0\0\x0d\3" + bytes(12), compressed=False)
    with pytest.raises(DatasetError, match="starts with 1f 8b, not with 00 00"):
        read(folder, gzip.compress(idx_bytes(SAMPLE)), compressed=False)
