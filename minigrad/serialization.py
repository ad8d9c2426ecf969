"""Checkpoints without pickle: nested state in one safetensors file.

Tensors lie in the file under their path ("model/c1.weight"); everything else (numbers, strings, None, lists, dicts) is
JSON in the file's metadata. So any program that reads safetensors can read the weights, and loading a file can run no
code.
"""

import hashlib
import json
import os
import tempfile
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as to_bytes

from minigrad.autograd import Tensor

_TENSOR = "__tensor__"


class CheckpointError(RuntimeError):
    """A checkpoint that cannot be read; the message names the file and the cause."""


def _take_tensors(state, path, tensors):
    """`state` as plain JSON, its tensors moved into `tensors` by path."""
    if isinstance(state, Tensor):
        tensors[path] = np.array(state._array, order="C")  # a 0-d array stays one
        return {_TENSOR: path}
    if isinstance(state, dict):
        if any(not isinstance(key, str | int) for key in state):
            raise TypeError(f"cannot save {path or 'state'}: keys must be strings or ints")
        items = [
            [key, _take_tensors(value, f"{path}/{key}" if path else str(key), tensors)] for key, value in state.items()
        ]
        return {"__dict__": items}
    if isinstance(state, list | tuple):
        items = [_take_tensors(value, f"{path}/{i}" if path else str(i), tensors) for i, value in enumerate(state)]
        return items if isinstance(state, list) else {"__tuple__": items}
    if state is None or isinstance(state, bool | int | float | str):
        return state
    raise TypeError(
        f"cannot save {path or 'state'} of type {type(state).__name__}\nhint: tensors, numbers, strings, None, and "
        "lists, tuples "
        "and dicts of them can be saved; for a module or optimizer save its state_dict()"
    )


def _put_tensors(state, tensors):
    """The inverse of `_take_tensors`."""
    if isinstance(state, list):
        return [_put_tensors(item, tensors) for item in state]
    if isinstance(state, dict):
        if _TENSOR in state:
            return tensors[state[_TENSOR]]
        if "__tuple__" in state:
            return tuple(_put_tensors(item, tensors) for item in state["__tuple__"])
        return {key: _put_tensors(value, tensors) for key, value in state["__dict__"]}
    return state


def save(state, path):
    """Write nested state (dicts, lists and tuples of tensors, numbers, strings, None) to `path`, whole or not at all.

    The data go to a temporary file in the same folder, flushed to the disk and then renamed; whoever opens `path` sees
    the old file or the new one. Other types raise a TypeError that names the entry. Read it with `load`.

    >>> import tempfile, minigrad
    >>> path = Path(tempfile.mkdtemp()) / "state.safetensors"
    >>> save({"epoch": 3, "weight": minigrad.ones(2)}, path)
    >>> load(path)
    {'epoch': 3, 'weight': tensor([1., 1.])}
    """
    tensors: dict = {}
    state = json.dumps(_take_tensors(state, "", tensors))
    digest = _digest(state, tensors)
    data = to_bytes(tensors, metadata={"format": "minigrad", "state": state, "sha256": digest})
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _digest(state, tensors):
    """A checksum of everything saved."""
    digest = hashlib.sha256(state.encode())
    for name in sorted(tensors):
        digest.update(f"{name}{tensors[name].dtype}{tensors[name].shape}".encode())
        digest.update(tensors[name].tobytes())
    return digest.hexdigest()


def load(path):
    """The state that `save` wrote to `path`; from any other safetensors file, its tensors by name.

    A file that is missing, truncated, damaged or of another kind raises a CheckpointError that names it and the cause.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"{path}: no such file")
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except (SafetensorError, OSError, ValueError, TypeError) as error:
        raise CheckpointError(f"{path}: not a readable safetensors file: {error}") from error
    tensors = {name: Tensor._wrap(array) for name, array in arrays.items()}
    if metadata.get("format") != "minigrad":
        return tensors
    if metadata.get("sha256") != _digest(metadata.get("state", ""), arrays):
        raise CheckpointError(f"{path}: the checksum does not match: the file is damaged")
    try:
        return _put_tensors(json.loads(metadata["state"]), tensors)
    except (KeyError, ValueError, TypeError) as error:
        raise CheckpointError(f"{path}: the state in the file is malformed: {error!r}") from error
