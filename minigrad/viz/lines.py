"""Which line of the user's program is running, and by which name it calls a tensor."""

import linecache
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from minigrad.autograd import Tensor
from minigrad.nn import Module

_PACKAGE = str(Path(__file__).parent.parent) + os.sep
_CALL = Module.__call__.__code__


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a program."""

    path: str
    number: int

    @staticmethod
    def of(frame):
        """The line that a frame is at; None without a frame."""
        return None if frame is None else Line(frame.f_code.co_filename, frame.f_lineno)

    @property
    def code(self):
        """Its text, without the indentation."""
        return linecache.getline(self.path, self.number).strip()

    def __str__(self):
        """ "train.py:12": the file's name within the working folder, or alone."""
        path = Path(self.path)
        if path.is_absolute():
            here = Path.cwd()
            path = path.relative_to(here) if path.is_relative_to(here) else Path(path.name)
        return f"{path.as_posix()}:{self.number}"


def is_users(frame):
    """Whether a frame runs code outside minigrad."""
    name = frame.f_code.co_filename
    return not name.startswith((_PACKAGE, "<frozen"))


def user_frame():
    """The innermost frame outside minigrad; None if there is none."""
    frame = sys._getframe(1)
    while frame is not None and not is_users(frame):
        frame = frame.f_back
    return frame


def calling_frame(frame):
    """The user's frame that called the outermost module that runs around `frame`; `frame` itself outside modules."""
    outer, caller = frame, frame
    while outer is not None:
        if outer.f_code is _CALL:
            caller = None
        elif caller is None and is_users(outer):
            caller = outer
        outer = outer.f_back
    return caller


def is_given(thing, frame):
    """Whether `thing` is among what the user's `frame`, which runs code of minigrad now, has called that with."""
    called = sys._getframe(1)
    while called.f_back is not None and called.f_back is not frame:
        called = called.f_back
    return _holds(list(called.f_locals.values()), thing)


def _holds(values, thing):
    return any(
        value is thing
        or (isinstance(value, list | tuple) and _holds(value, thing))
        or (isinstance(value, dict) and _holds(list(value.values()), thing))
        for value in values
    )


def variable_name(frame, thing):
    """The name by which `frame` calls `thing`, "" if by none: a local variable, else a global one."""
    for names in () if frame is None else (frame.f_locals, frame.f_globals):
        for name, value in names.items():
            if value is thing and not name.startswith("_"):
                return name
    return ""


def tensor_name(frame, edge):
    """The name by which `frame` calls the tensor whose gradient flows to `edge`, "" if by none."""
    for names in () if frame is None else (frame.f_locals, frame.f_globals):
        for name, value in names.items():
            if isinstance(value, Tensor) and value._edge == edge and not name.startswith("_"):
                return name
    return ""
