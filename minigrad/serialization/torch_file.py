"""PyTorch's own files: zip archives (since version 1.6), and the pickles in a row of the versions before."""

import io
import struct
import sys
import zipfile

import numpy as np

from .builders import UNTYPED, Storage, StorageView, built, checked, named
from .elements import BLOCK, Elements, fill
from .files import SLACK, Malformed, Source, brief, read_exactly
from .pickles import Machine
from .safetensors_file import mapped, warn_of

_MAGIC = 0x1950A86A20F9469CFC6C  # torch.serialization.MAGIC_NUMBER
_VERSION = 1001
_WHOLE = "the file holds a whole module\nhint: in PyTorch, save model.state_dict() instead of the model"


class _Storages(dict):
    """The storages of a file by key, as its pickle names them; together no larger than the file."""

    def __init__(self, size, make):
        super().__init__()
        self.left, self.make = size, make

    def named(self, identity):
        """The storage of a persistent id: ("storage", its type, key, device, number of elements[, which part])."""
        if type(identity) is not tuple or len(identity) not in (5, 6) or identity[0] not in ("storage", b"storage"):
            raise Malformed(_WHOLE if "module" in identity[:1] else "the pickle refers to data that are no storage")
        _, elements, key, _, count, *part = identity
        if type(elements) is not Elements and elements is not UNTYPED:
            raise Malformed("the pickle has a storage of an unknown type")
        if type(count) is not int or count < 0 or type(key) not in (str, int):
            raise Malformed(f"storage {brief(key)} has {brief(count)} elements")
        if key not in self:
            nbytes = count * (1 if elements is UNTYPED else elements.raw.itemsize)
            self.left -= nbytes
            if self.left < 0:
                raise Malformed(f"storage {key} of {nbytes} bytes is larger than what is left of the file")
            self[key] = Storage(key, elements, count, nbytes, self.make)
        storage = self[key]
        if storage.count != count or storage.declared is not elements:
            raise Malformed(f"storage {key} is named with two sizes or types")
        if part and part[0] is not None:
            _, start, length = part[0]
            return StorageView(storage, start, length)
        return storage

    def converted(self):
        """The element types, of those that were read, which become others."""
        used = {storage.elements for storage in self.values() if storage.array is not None}
        return {elements for elements in used if elements.converted}


def _allocated(storage):
    return np.empty(storage.nbytes // storage.elements.raw.itemsize, storage.elements.dtype)


class _Directory:
    """The file as `zipfile` sees it: a damaged list of records that is far too long for the file is not read."""

    def __init__(self, source):
        file = source.file
        self.seek, self.tell, self.seekable, self._read = file.seek, file.tell, file.seekable, file.read
        self.longest = (SLACK + 4 * source.size) // 16

    def read(self, count=-1):
        """`count` bytes, or those that are left; zipfile asks so only for the end of the file."""
        if count > self.longest:
            raise Malformed(f"the archive's list of records would have {count} bytes")
        return self._read(count)


class _Archive:
    """The records of PyTorch's zip archives: never compressed, all in one folder."""

    def __init__(self, source):
        self.source = source
        self.zip = zipfile.ZipFile(_Directory(source))
        names = self.zip.namelist()
        pickles = [name for name in names if name.endswith("/data.pkl") and name.count("/") == 1]
        if any(name.endswith("/constants.pkl") for name in names):
            raise Malformed("a TorchScript program\nhint: in PyTorch, save the state_dict() of torch.jit.load(path)")
        if len(pickles) != 1:
            raise Malformed("a zip archive that PyTorch did not write: it has no record data.pkl")
        self.folder = pickles[0].removesuffix("data.pkl")
        self.byteorder = (
            self.content("byteorder").getvalue().decode("latin1") if f"{self.folder}byteorder" in names else "little"
        )
        if self.byteorder not in ("little", "big"):
            raise Malformed(f"the byte order is {brief(self.byteorder)}")

    def entry(self, name):
        """The entry of a record in the list."""
        try:
            entry = self.zip.getinfo(self.folder + name)
        except KeyError:
            raise Malformed(f"the archive has no record {name}") from None
        if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1 or entry.file_size > self.source.size:
            raise Malformed(f"record {name} is compressed, encrypted or larger than the file")
        return entry

    def open(self, name):
        """A record to read from; at its end its checksum is compared."""
        entry = self.entry(name)
        if getattr(entry, "CRC", 0) == 0 and hasattr(entry, "CRC"):
            del entry.CRC  # saved without checksums, which torch.serialization.set_crc32_options allows
        return self.zip.open(entry)

    def content(self, name):
        """The bytes of a record, as a file in memory."""
        buffer = io.BytesIO()
        with self.open(name) as file:
            while block := file.read(BLOCK):
                buffer.write(block)
        return buffer

    def map(self, storage):
        """The memory of a storage on demand, or None where its elements are not as minigrad needs them."""
        name, elements = f"data/{storage.key}", storage.elements
        if not elements.mappable or self.byteorder != sys.byteorder or not storage.nbytes:
            return None
        start = self.entry(name).header_offset
        self.source.file.seek(start + 26)
        start += 30 + sum(struct.unpack("<HH", self.source.read(4)))  # a header of its own precedes a record
        if start + storage.nbytes > self.source.size:
            raise Malformed(f"record {name} reaches beyond the end of the file")
        return mapped(self.source.path, elements.dtype, start, storage.nbytes // elements.raw.itemsize)


def read_zip(source, mmap=False):
    """What `torch.save` wrote into a zip archive: a record `data.pkl`, and one for the memory of each storage."""
    archive = _Archive(source)

    def make(storage):
        size = archive.entry(f"data/{storage.key}").file_size
        if size != storage.nbytes:
            raise Malformed(f"storage {storage.key} has {storage.nbytes} bytes, its record {size}")
        array = archive.map(storage) if mmap else None
        storage.filled = array is not None
        return array if storage.filled else _allocated(storage)

    storages = _Storages(source.size, make)
    pickle = Source(archive.content("data.pkl"), source.name)
    state = checked(Machine(pickle, source.size, named, storages.named, built).run())
    for storage in storages.values():
        if storage.array is not None and not storage.filled:
            with archive.open(f"data/{storage.key}") as file:
                fill(
                    storage.array,
                    storage.elements,
                    lambda block, file=file: read_exactly(file, block),
                    archive.byteorder,
                )
    warn_of(storages.converted(), source.name)
    return state


def read_legacy(source):
    """What `torch.save` wrote before version 1.6: a magic number, a version, notes, state, keys, and the storages."""
    storages = _Storages(source.size, _allocated)

    def unpickled():
        return checked(Machine(source, source.size, named, storages.named, built).run())

    if unpickled() != _MAGIC:
        raise Malformed("a pickle, but not one that PyTorch wrote")
    version = unpickled()
    if version != _VERSION:
        raise Malformed(f"PyTorch's format of version {brief(version)}, only {_VERSION} is known")
    unpickled()  # the sizes of the writer's C types: the format does not depend on them
    state, keys = unpickled(), unpickled()
    if type(keys) is not list or sorted(map(str, keys)) != sorted(map(str, storages)):
        raise Malformed("the list of storages is not that of the tensors")
    for key in keys:
        storage = storages[key]
        (count,) = struct.unpack("<q", source.read(8))
        if count != storage.count:
            raise Malformed(f"storage {key} has {count} elements, its tensors need {storage.count}")
        if storage.array is not None:
            fill(storage.array, storage.elements, source.readinto, "little")
        else:
            source.read(storage.nbytes)
    warn_of(storages.converted(), source.name)
    return state
