"""Checkpoints without pickle: `save`, and `load` of what it wrote, of safetensors files and of PyTorch's own files.

A checkpoint is nested plain data with tensors in it. minigrad's own is one safetensors file: the tensors lie in it
under their path ("model/c1.weight"), the rest is JSON in the file's metadata (`state`), so any program that reads
safetensors can read the weights. PyTorch's are pickles; here a small interpreter reads them (`pickles`) that knows how
to build tensors and plain containers (`builders`) and nothing else. Loading a file never runs code that is in it.
"""

import os
import struct
import zipfile

from . import safetensors_file, torch_file
from .files import CheckpointError, Malformed, opened, written
from .locations import locator, relocate
from .state import decoded, encoded

__all__ = ["CheckpointError", "load", "save"]


def save(obj, f):
    """Write nested state to `f`, a path or a file object, for `load` (`torch.save`).

    State is a tensor, a Parameter, a number, string, bytes, None, dtype, device, Size, NumPy array or scalar, or a dict
    (OrderedDict and Counter too), list, tuple or set of state. Anything else raises a TypeError that names the entry.
    Tensors that share memory are written once and share it again when loaded. A path is written whole or not at all:
    the data go to a temporary file in the same folder, are flushed to the disk, and the file is renamed; whoever opens
    `path` sees the old file or the new one, even after a crash.

    >>> import tempfile, minigrad
    >>> from pathlib import Path
    >>> path = Path(tempfile.mkdtemp()) / "state.safetensors"
    >>> save({"epoch": 3, "weight": minigrad.ones(2)}, path)
    >>> load(path)
    {'epoch': 3, 'weight': tensor([1., 1.])}
    """
    arrays = {}
    metadata = safetensors_file.signed(encoded(obj, arrays), arrays)
    with written(f) as file:
        safetensors_file.write(file, arrays, metadata)


def load(f, map_location=None, *, weights_only=True, mmap=None):
    """The state in `f`, a path or a file object that `save`, PyTorch or any writer of safetensors wrote (`torch.load`).

    From a safetensors file of another program come its tensors by name. PyTorch's files (`.pt`, `.pth`: zip archives,
    or the pickles of versions before 1.6) may hold dense tensors, parameters and plain data; float16, bfloat16 and
    unsigned tensors become float32 and int64 with a warning, because minigrad computes in no others. Tensors go to the
    device they were saved from (those of other programs' files to the CPU), or where `map_location` says: a device, a
    dict from names of devices to devices, or a function of tensor and name. No code in a file is ever run, whatever
    `weights_only` says. `mmap=True` maps the tensors' memory from the disk, where its layout allows, instead of reading
    it (writes stay private).

    A file that is truncated, damaged, hostile, or that holds something else raises a CheckpointError with the file and
    the cause; memory stays below about twice the file's size. If the file is missing, the CheckpointError is a
    FileNotFoundError too.

    >>> import io, minigrad
    >>> file = io.BytesIO()
    >>> save([minigrad.arange(3), "text"], file)
    >>> _ = file.seek(0)
    >>> load(file)
    [tensor([0, 1, 2]), 'text']
    """
    locate = locator(map_location)
    if mmap and not isinstance(f, (str, os.PathLike)):
        raise ValueError("f must be a file path in order to use the mmap argument")
    with opened(f) as source:
        try:
            start = source.peek(16)
            if start[8:9] == b"{":
                arrays, metadata = safetensors_file.read(source, mmap)
                return decoded(arrays, metadata, locate)
            if start[:4] == b"PK\x03\x04":
                state = torch_file.read_zip(source, mmap)
            elif start[:1] == b"\x80":
                state = torch_file.read_legacy(source)
            else:
                raise Malformed(_what_it_is(source))
        except (ValueError, OSError, EOFError, NotImplementedError, struct.error, zipfile.BadZipFile) as error:
            raise CheckpointError(f"{source.name}: {str(error)[:1000]}") from error
    relocate(state, locate)
    return state


def _what_it_is(source):
    """Why a file of none of the known kinds cannot be read."""
    start = source.peek(264)
    if not start:
        return "the file is empty"
    if start[257:262] == b"ustar":
        return (
            "a tar archive, PyTorch's format before version 0.1.10\nhint: open it with torch.load(..., weights_only="
            "False) and save it again with torch.save"
        )
    return (
        f"neither a safetensors file nor one of PyTorch's: it starts with {start[:8]!r}\nhint: the file may be damaged,"
        " or the page of an error that was downloaded in its place"
    )
