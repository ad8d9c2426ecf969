"""Safetensors files (https://github.com/huggingface/safetensors#format), read and written without a second copy.

Eight bytes give the length of a JSON header, which gives each tensor's dtype, shape and place in the bytes that follow.
This is written out here because the safetensors library knows neither file objects nor memory limits: its `serialize`
and `deserialize` copy everything once more.
"""

import hashlib
import json
import math
import struct
import warnings

import numpy as np

from .elements import BY_NAME, empty, fill
from .files import SLACK, Malformed

_CODES = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "I64": "int64",
    "I32": "int32",
    "I16": "int16",
    "I8": "int8",
    "U64": "uint64",
    "U32": "uint32",
    "U16": "uint16",
    "U8": "uint8",
    "BOOL": "bool",
}
_CODE_OF = {np.dtype(name): code for code, name in _CODES.items() if name in BY_NAME and not BY_NAME[name].converted}
LONGEST_HEADER = 100_000_000  # the format's limit


def signed(state, arrays):
    """The metadata of a minigrad checkpoint: its state, JSON, and a checksum over everything."""
    text = json.dumps(state)
    return {"format": "minigrad", "state": text, "sha256": digest(text, arrays)}


def digest(text, arrays):
    """A checksum of everything saved."""
    result = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        array = arrays[name]
        result.update(f"{name}{array.dtype}{array.shape}".encode())
        result.update(_bytes(array))
    return result.hexdigest()


def _bytes(array):
    """The memory of a C-contiguous array."""
    return memoryview(array.reshape(-1).view(np.uint8))


def write(file, arrays, metadata):
    """Write C-contiguous arrays by name, and string metadata, to a file object."""
    header, offset = {"__metadata__": metadata}, 0
    by_alignment = sorted(arrays, key=lambda name: -arrays[name].itemsize)  # every array lies aligned
    for name in by_alignment:
        array = arrays[name]
        place = [offset, offset + array.nbytes]
        header[name] = {"dtype": _CODE_OF[array.dtype], "shape": list(array.shape), "data_offsets": place}
        offset += array.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    if len(text) > LONGEST_HEADER:
        raise ValueError(
            f"the plain data of this state take {len(text)} bytes, a safetensors file holds {LONGEST_HEADER}\n"
            "hint: long lists of numbers belong into tensors or NumPy arrays"
        )
    file.write(struct.pack("<Q", len(text)))
    file.write(text)
    for name in by_alignment:
        file.write(_bytes(arrays[name]))


def read(source, mmap=False):
    """(arrays by name, metadata) of a file, checked; a minigrad checkpoint's checksum too."""
    length = struct.unpack("<Q", source.read(8))[0]
    if length > min(LONGEST_HEADER, source.size - 8):
        raise Malformed(f"the header would have {length} bytes, the file has {source.size}")
    header = parsed(source.read(length), source.size)
    if not isinstance(header, dict):
        raise Malformed("the header is no JSON object")
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise Malformed("the metadata are no JSON object of strings")
    start = 8 + length
    tensors = _checked(header, source.size - start)
    arrays, converted = {}, set()
    for name, elements, shape, begin, end in tensors:
        memory = None
        if mmap and elements.mappable and end > begin:
            memory = mapped(source.path, elements.dtype, start + begin, (end - begin) // elements.raw.itemsize)
        if memory is None:
            memory = np.empty((end - begin) // elements.raw.itemsize, elements.dtype)
            source.file.seek(start + begin)
            fill(memory, elements, source.readinto, "little")
        arrays[name] = memory.reshape(shape) if memory.size else empty(shape, memory.dtype)
        converted |= {elements} if elements.converted else set()
    warn_of(converted, source.name)
    if metadata.get("format") == "minigrad" and metadata.get("sha256") != digest(metadata.get("state", ""), arrays):
        raise Malformed("the checksum does not match: the file is damaged")
    return {name: arrays[name] for name in header}, metadata


def parsed(text, size):
    """The value of JSON `text` from a file of `size` bytes, if it is not made to fill the memory."""
    if isinstance(text, str):
        text = text.encode("utf-8", "surrogatepass")
    if 240 * text.count(b"{") + 64 * text.count(b"[") + 32 * text.count(b",") > SLACK + 2 * size:
        raise Malformed("the JSON text in the file holds more entries than a file of its size should")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"the JSON text in the file cannot be read: {error}") from error


def _checked(header, size):
    """(name, elements, shape, begin, end) of each tensor of a header, in order, if they fill `size` bytes exactly."""
    tensors = []
    for name, entry in header.items():
        try:
            code, shape, (begin, end) = entry["dtype"], entry["shape"], entry["data_offsets"]
        except (KeyError, TypeError, ValueError) as error:
            raise Malformed(f"the header's entry {name!r} is incomplete") from error
        if not isinstance(code, str) or code not in _CODES:
            raise Malformed(f"{name} has dtype {code}, which minigrad has not")
        if not isinstance(shape, list) or any(type(n) is not int or n < 0 for n in (*shape, begin, end)):
            raise Malformed(f"{name} has shape {shape!r} and offsets {[begin, end]!r}")
        elements = BY_NAME[_CODES[code]]
        if end - begin != math.prod(shape) * elements.raw.itemsize or len(shape) > 64:
            raise Malformed(f"{name} of dtype {code} and shape {shape} would lie in {end - begin} bytes")
        tensors.append((name, elements, shape, begin, end))
    tensors.sort(key=lambda tensor: tensor[3:])
    reached = 0
    for name, _, _, begin, end in tensors:
        if begin != reached:
            raise Malformed(f"{name} lies at {begin}, the tensor before it ends at {reached}")
        reached = end
    if reached != size:
        raise Malformed(f"the tensors take {reached} bytes, the file has {size} for them")
    return tensors


def mapped(path, dtype, offset, count):
    """`count` elements of a file as private memory on demand, or None where they are not aligned."""
    return None if offset % dtype.itemsize else np.memmap(path, dtype, "c", offset, (count,)).view(np.ndarray)


def warn_of(converted, name):
    """One warning for all element types that became others."""
    if converted:
        changes = ", ".join(sorted(f"{elements.name} -> {elements.dtype}" for elements in converted))
        warnings.warn(
            f"{name}: tensors were converted on loading ({changes}); minigrad computes in no narrower types, every "
            "value is kept exactly",
            stacklevel=4,
        )
