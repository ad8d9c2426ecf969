"""Damaged and hostile checkpoints: one documented error or a valid load; no crash, no hang, no flood of memory.

MINIGRAD_EXAMPLES=10000 tries that many mutated files (300 by default).
"""

import io
import os
import signal
import struct
import tracemalloc
import warnings
import zipfile

import numpy as np
import pytest
import torch
from safetensors.numpy import save as save_safetensors

import minigrad as mg
from minigrad import CheckpointError
from minigrad.serialization import safetensors_file
from minigrad.serialization.files import Source

COUNT = int(os.environ.get("MINIGRAD_EXAMPLES", "300"))
SECONDS = 20  # of computing: a load of a few kilobytes that takes longer hangs


def _torch_state():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2), torch.nn.Linear(4, 4))
    optimizer = torch.optim.Adam(model.parameters())
    for p in model.parameters():
        p.grad = torch.ones_like(p)
    optimizer.step()
    x = torch.arange(24.0).reshape(4, 6)
    extra = {"views": [x, x.t(), x[1:, 2:]], "half": torch.ones(5).half(), "mask": torch.tensor([True, False])}
    plain = {
        "set": {1, 2},
        "bytes": b"\xff\0",
        "numpy": np.float64(1.5),
        "array": np.arange(4),
        "size": torch.Size([2]),
    }
    return {"model": model.state_dict(), "optimizer": optimizer.state_dict(), **extra, **plain}


def _written_by_torch(**settings):
    file = io.BytesIO()
    torch.save(_torch_state(), file, **settings)
    return file.getvalue()


def _written_by_us():
    file, x = io.BytesIO(), mg.arange(24.0).reshape(4, 6)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        state = mg.load(io.BytesIO(_written_by_torch()))
    mg.save({"torch": state, "views": (x, x.t(), x[1:, 2:]), "numbers": [1, 2.5, None, True, "text", 1j]}, file)
    return file.getvalue()


FILES = {
    "zip": _written_by_torch(),
    "legacy": _written_by_torch(_use_new_zipfile_serialization=False),
    "zip of protocol 4": _written_by_torch(pickle_protocol=4),
    "legacy of protocol 4": _written_by_torch(_use_new_zipfile_serialization=False, pickle_protocol=4),
    "minigrad": _written_by_us(),
    "safetensors": save_safetensors({"w": np.ones((3, 4), np.float32), "n": np.arange(5)}, {"by": "hand"}),
}
NUMBERS = [0, 1, 2, 127, 128, 255, 256, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**64 - 1]


def _mutated(data, rng):
    """`data` with one to four random changes."""
    data = bytearray(data)
    for _ in range(rng.integers(1, 5)):
        if len(data) < 2:
            break
        at, end = sorted(rng.integers(0, len(data), 2).tolist())
        kind = rng.integers(8)
        if kind == 0:  # truncate
            del data[rng.integers(len(data)) :]
        elif kind == 1:  # flip a bit
            data[at] ^= 1 << rng.integers(8)
        elif kind == 2:  # flip bits near the beginning, where the headers are
            data[rng.integers(min(len(data), 200))] = rng.integers(256)
        elif kind == 3:  # splice: a part goes somewhere else
            part, place = data[at : at + 64], rng.integers(len(data))
            data[place : place + len(part)] = part
        elif kind == 4:  # duplicate a part
            data[at:at] = data[at : min(end, at + 500)]
        elif kind == 5:  # leave out a part
            del data[at : min(end, at + 100)]
        elif kind == 6:  # a length or count of another size
            layout = "<BHIQ"[rng.integers(1, 5)]
            size = struct.calcsize(layout)
            number = NUMBERS[rng.integers(len(NUMBERS))] % 256**size
            data[at : at + size] = number.to_bytes(size, "little" if rng.integers(2) else "big")
        else:  # random bytes
            count = rng.integers(1, 9)
            data[at : at + count] = rng.bytes(count)
    return bytes(data)


def _mutated_inside(kind, data, rng):
    """`data` mutated where checksums guard it, with checksums that fit again; None if this file has none."""
    if kind.startswith("zip"):
        target = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(target, "w") as new:
            for info in old.infolist():
                content = old.read(info)
                new.writestr(info.filename, _mutated(content, rng) if info.filename.endswith(".pkl") else content)
        return target.getvalue()
    if kind == "minigrad":
        arrays, metadata = safetensors_file.read(Source(io.BytesIO(data), "file"))
        text = metadata["state"].replace(
            "__tensor__", rng.choice(["__tensor__", "__array__", "__bytes__", "__tuple__"])
        )
        text = _mutated_json(text, rng)
        metadata = {**metadata, "state": text, "sha256": safetensors_file.digest(text, arrays)}
        target = io.BytesIO()
        safetensors_file.write(target, arrays, metadata)
        return target.getvalue()
    if kind == "safetensors":
        length = struct.unpack("<Q", data[:8])[0]
        header = _mutated_json(data[8 : 8 + length].decode(), rng).encode()
        return struct.pack("<Q", len(header)) + header + data[8 + length :]
    return None


def _mutated_json(text, rng):
    """JSON text in which some numbers and strings were exchanged for others."""
    tokens = text.replace("[", " [ ").replace("]", " ] ").replace(",", " , ").replace(":", " : ").split(" ")
    others = [*map(str, NUMBERS), "-1", "1.5", "null", "true", "[]", "{}", '"F64"', '"BF16"', '"text"', "[[[[", "NaN"]
    for _ in range(rng.integers(1, 4)):
        tokens[rng.integers(len(tokens))] = others[rng.integers(len(others))]
    return " ".join(tokens)


def _hang(signum, frame):
    raise TimeoutError("the load hangs")


def _load(data):
    """Whether `data` loads; anything but a CheckpointError, a hang or much memory fails."""
    before = signal.signal(signal.SIGPROF, _hang)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    tracemalloc.start()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            state = mg.load(io.BytesIO(data))
    except CheckpointError as error:
        assert str(error).startswith("<BytesIO>: ") and len(str(error)) < 3000
        return False
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
    assert peak < 2 * len(data) + (1 << 20), f"{peak} bytes for a file of {len(data)}"
    repr(state)  # what was loaded can be used
    return True


@pytest.mark.parametrize("kind", FILES)
def test_mutated_files_load_or_raise_the_one_error(kind):
    assert _load(FILES[kind])
    share = max(COUNT // len(FILES) // 2, 1)
    loaded = 0
    for seed in range(share):
        rng = np.random.default_rng(seed)
        for data in (_mutated(FILES[kind], rng), _mutated_inside(kind, FILES[kind], rng) or _mutated(FILES[kind], rng)):
            try:
                loaded += _load(data)
            except BaseException as error:
                error.add_note(f"{kind}, seed {seed}")
                raise
    assert loaded < 2 * share  # some damage is noticed


# hostile files, written by hand --------------------------------------------------------------------------------------


def _name(module, name):
    return f"c{module}\n{name}\n".encode()


def _text(text):
    return b"X" + struct.pack("<I", len(text)) + text.encode()


def _number(number):
    data = number.to_bytes((number.bit_length() + 8) // 8, "little", signed=True)
    return b"\x8a" + bytes([len(data)]) + data


def _storage(count, key="0", kind="FloatStorage"):
    return b"(" + _text("storage") + _name("torch", kind) + _text(key) + _text("cpu") + _number(count) + b"tQ"


def _numbers(numbers):
    return b"(" + b"".join(map(_number, numbers)) + b"t"


def _tensor(offset=0, size=(4,), stride=(1,), count=4, **storage):
    hooks = _name("collections", "OrderedDict") + b")R"
    arguments = _storage(count, **storage) + _number(offset) + _numbers(size) + _numbers(stride) + b"\x89" + hooks
    return _name("torch._utils", "_rebuild_tensor_v2") + b"(" + arguments + b"tR"


def _in_zip(code, records=(("data/0", bytes(16)),), compression=zipfile.ZIP_STORED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02" + code + b".")
        for name, data in records:
            archive.writestr(f"archive/{name}", data)
    return file.getvalue()


def _in_legacy(code):
    parts = _number(0x1950A86A20F9469CFC6C), _number(1001), b"}", code, b"]" + _text("0") + b"a"
    return b"".join(b"\x80\x02" + part + b"." for part in parts) + struct.pack("<q", 4) + bytes(16)


def _call(module, name, *arguments):
    return _name(module, name) + b"(" + b"".join(arguments) + b"tR"


SHELL = _text("touch /tmp/minigrad-was-here")
DOUBLED = b"]" + b"q\0" + b"".join(b"](h" + bytes([i]) + b"h" + bytes([i]) + b"eq" + bytes([i + 1]) for i in range(99))
HASHED = b")q\0" + b"".join(b"h" + bytes([i]) + b"h" + bytes([i]) + b"\x86q" + bytes([i + 1]) for i in range(99))
HOSTILE = {
    "os.system": _call("os", "system", SHELL),
    "posix.system": _call("posix", "system", SHELL),
    "eval": _call("builtins", "eval", SHELL),
    "eval of Python 2": _call("__builtin__", "eval", SHELL),
    "getattr": _call("builtins", "getattr", _name("torch", "Tensor"), _text("__class__")),
    "subprocess": _call("subprocess", "Popen", SHELL),
    "a name with dots": _call("torch", "serialization.os.system", SHELL),
    "a module": _call("torch.nn.modules.linear", "Linear", _number(1)),
    "the named function itself": _name("torch._utils", "_rebuild_tensor_v2"),
    "a function in a list": b"]" + _name("collections", "OrderedDict") + b"a",
    "a storage as data": _storage(4),
    "a call of what was loaded": _tensor() + b")R",
    "a call with a list": _name("collections", "OrderedDict") + b"]R",
    "state for a tensor": _tensor() + b"}b",
    "attributes of a dict": _name("collections", "OrderedDict") + b")R}" + _text("__class__") + b"Nsb",
    "an object array": _call("numpy", "dtype", _text("O8"), b"\x89", b"\x88"),
    "a huge array": _call("numpy", "dtype", _text("V99999999"), b"\x89", b"\x88"),
    "a bytearray of a length": _call("builtins", "bytearray", _number(2**40)),
    "bytes of a length": _call("builtins", "bytes", _number(2**40)),
    "a set of a string": _call("builtins", "set", _text("x" * 1000)),
    "another extension": b"\x82\x01",
    "a text of 4 GB": b"X\xff\xff\xff\xffabc",
    "a text of 2^63": b"\x8d" + struct.pack("<Q", 2**63) + b"abc",
    "a number of 2 GB": b"\x8b" + struct.pack("<I", 2**31 - 1) + b"abc",
    "a bytearray of 2^62": b"\x96" + struct.pack("<Q", 2**62),
    "a memo of 2^32": b"N" + b"r\xff\xff\xff\xff" + b"j\xfe\xff\xff\xff",
    "lists in lists": b"]" * 100_000 + b"a" * 99_999,
    "tuples in tuples": b")" + b"\x85" * 100_000,
    "marks without end": b"(" * 100_000,
    "doubled 99 times": DOUBLED,
    "a device of what is doubled 99 times": _call("torch", "device", DOUBLED),
    "a key doubled 99 times": b"}" + HASHED + b"Ns",
    "a member doubled 99 times": _call("builtins", "set", b"]" + HASHED + b"a"),
    "a key of a huge number": b"}" + _number(2**61 - 1) + b"Ns",
    "a list as a key": b"}]Ns",
    "a list in itself": b"]q\0h\0a",
    "dicts without end": b"}" * 1_000_000 + b"0" * 999_999,
    "the same text encoded again": _text("x" * 100_000)
    + b"q\0"
    + b"".join(_name("_codecs", "encode") + b"(h\0" + _text("latin1") + b"tR" for _ in range(1000)),
    "an empty stack": b"0",
    "an empty memo": b"h\5",
    "a tensor beyond its storage": _tensor(size=(5,)),
    "a tensor before its storage": _tensor(offset=-1),
    "an offset beyond": _tensor(offset=4),
    "negative strides": _tensor(offset=0, stride=(-1,)),
    "negative sizes": _tensor(size=(-4,)),
    "more sizes than strides": _tensor(size=(2, 2)),
    "strides of 2^62": _tensor(stride=(2**62,)),
    "sizes whose product is 0 in 64 bits": _tensor(size=(2**32, 2**32), stride=(0, 0)),
    "one element 2^40 times": _tensor(size=(2**40,), stride=(0,)),
    "65 dimensions": _tensor(size=(1,) * 65, stride=(1,) * 65),
    "no elements of 2^62": _tensor(size=(2**62, 2**62, 0), stride=(1, 1, 1)),
    "a storage of 2^40": _tensor(count=2**40),
    "a storage of -1": _tensor(count=-1),
    "one storage in two sizes": _tensor() + _tensor(count=3, size=(3,)) + b"\x86",
    "one storage in two dtypes": _tensor() + _tensor(kind="IntStorage") + b"\x86",
    "a complex storage": _tensor(kind="ComplexFloatStorage"),
    "an integer that requires grad": _tensor(kind="IntStorage").replace(b"\x89", b"\x88"),
    "a sparse tensor": _call("torch._utils", "_rebuild_sparse_tensor", b"N", b")"),
}


@pytest.mark.parametrize("form", [_in_zip, _in_legacy], ids=["zip", "legacy"])
@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_pickles_are_refused(what, form, tmp_path):
    assert _load(form(_tensor()))  # the frame is sound
    data = form(HOSTILE[what])
    tracemalloc.start()
    with pytest.raises(CheckpointError, match="<BytesIO>: "):
        mg.load(io.BytesIO(data))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * len(data) + (80 << 20)
    assert not os.path.exists("/tmp/minigrad-was-here")


def test_a_few_bytes_of_a_sound_tensor_are_read_as_they_are():
    for form in (_in_zip, _in_legacy):
        np.testing.assert_array_equal(mg.load(io.BytesIO(form(_tensor(size=(2, 2), stride=(2, 1))))).numpy(), 0)


def test_archives_that_unfold_or_overlap_are_refused():
    zeros = _in_zip(_tensor(count=10_000_000), [("data/0", bytes(40_000_000))], zipfile.ZIP_DEFLATED)
    assert len(zeros) < 100_000
    data = struct.pack("<4f", *range(4)) * 1000
    sound = _in_zip(_tensor(count=4000) + _tensor(count=4000, key="1") + b"\x86", [("data/0", data), ("data/1", data)])
    entries = sound.rindex(b"PK\1\2")
    first = sound.index(b"PK\1\2", sound.index(b"PK\1\2") + 4)  # the second record's entry points to the first
    overlapping = sound[: entries + 42] + sound[first + 42 : first + 46] + sound[entries + 46 :]
    many = _in_zip(b"(" + b"".join(_tensor(count=4000, key=str(i % 2)) for i in range(2)) + b"t", [("data/0", data)])
    assert _load(sound)
    for hostile in (zeros, overlapping, many):
        with pytest.raises(CheckpointError):
            mg.load(io.BytesIO(hostile))


def _in_safetensors(header, data=b""):
    return struct.pack("<Q", len(header)) + header + data


ENTRY = b'{"w":{"dtype":"F32","shape":[%b],"data_offsets":[%b]}}'


@pytest.mark.parametrize(
    "data",
    [
        b"",
        struct.pack("<Q", 2**62) + b"{}",
        struct.pack("<Q", 50_000_000) + b"{}",
        _in_safetensors(b"{" + b'"a":[' * 100_000),
        _in_safetensors(b'{"a":' + b"[" * 5_000_000),
        _in_safetensors(b'{"a":[' + b"[]," * 5_000_000 + b"[]]}"),
        _in_safetensors(b"{}", b"12345678"),
        _in_safetensors(b"{\xff}"),
        _in_safetensors(b'{"w":1}'),
        _in_safetensors(b'{"w":{"dtype":"F32"}}'),
        _in_safetensors(b'{"__metadata__":{"a":1}}'),
        _in_safetensors(ENTRY % (b"2", b"0,8"), bytes(4)),
        _in_safetensors(ENTRY % (b"2", b"0,4"), bytes(4)),
        _in_safetensors(ENTRY % (b"2", b"4,12"), bytes(12)),
        _in_safetensors(ENTRY % (b"-2", b"0,-8"), bytes(8)),
        _in_safetensors(ENTRY % (b"4294967296,4294967296,0,4", b"0,8"), bytes(8)),
        _in_safetensors(ENTRY % (b"1" * 5000, b"0,8"), bytes(8)),
        _in_safetensors((ENTRY % (b"2", b"0,8")).replace(b"F32", b"F8_E4M3"), bytes(8)),
        b"PK\3\4" + bytes(100),
        b"\x80\2",
        b"<!DOCTYPE html><html><body>404</body></html>",
        bytes(257) + b"ustar" + bytes(250),
    ],
    ids=range(22),
)
def test_hostile_headers_are_refused(data):
    assert not _load(data)


@pytest.mark.parametrize(
    "state",
    [
        '{"__tensor__": "no"}',
        '{"__module__": "os"}',
        '{"__init__": 1}',
        '{"__class__": 1}',
        '{"__laid_out__": ["w"]}',
        "{}",
        '{"a": 1}',
        '{"__dict__": [[[1], 2]]}',
        '{"__set__": [[1]]}',
        '{"__tensor__": "w", "order": [0, 0]}',
        '{"__tensor__": "w", "order": [5]}',
        '{"__tensor__": "w", "shape": [9], "strides": [1], "offset": 0}',
        '{"__tensor__": "w", "shape": [2], "strides": [-1], "offset": 0}',
        '{"__tensor__": "w", "shape": [1099511627776], "strides": [0], "offset": 0}',
        '{"__array__": "w", "dtype": "O", "shape": [1]}',
        '{"__array__": "w", "dtype": "<i8,O", "shape": [1]}',
        '{"__array__": "w", "dtype": "S0", "shape": [3]}',
        '{"__scalar__": "zz", "dtype": "<f8"}',
        '{"__scalar__": "00", "dtype": "<f8"}',
        '{"__dtype__": "O"}',
        '{"__complex__": [1, 2, 3]}',
        '{"__bytes__": 5}',
        '[{"__bytes__": "w"}, {"__bytes__": "w"}]',
        "[" * 100_000,
        '{"__tuple__": ' * 5000 + "1" + "}" * 5000,
    ],
)
def test_hostile_states_with_a_sound_checksum_are_refused(state):
    arrays = {"w": np.arange(4, dtype=np.float32).reshape(2, 2)}
    file = io.BytesIO()
    digest = safetensors_file.digest(state, arrays)
    safetensors_file.write(file, arrays, {"format": "minigrad", "state": state, "sha256": digest})
    assert not _load(file.getvalue())
