"""Where an error came from, read off its traceback: the line, the module, the operation and its arguments."""

import traceback as tracebacks
from dataclasses import dataclass, field
from pathlib import Path

from minigrad.autograd import Binary, Function, Operation, Scope, engine
from minigrad.nn import Module

from .lines import Line, is_users

_OPERATIONS = str(Path(__file__).parent.parent / "ops")
_APPLY = {cls.__dict__["apply"].__func__.__code__ for cls in (Operation, Binary, Function)}
_CALL = Module.__call__.__code__
_RUN = engine.run.__code__


@dataclass(slots=True)
class Failure:
    """An error that ended a recording."""

    error: BaseException
    line: Line | None
    node: object = None  # the RecordedNode that failed
    call: object = None
    walk: object = None  # the Pass during which it came


@dataclass(slots=True)
class Place:
    """What a traceback tells."""

    line: Line | None = None  # the innermost line outside minigrad
    scope: Scope | None = None  # the innermost module's call, as a frame of its own
    backward: bool = False  # whether it is during a backward pass
    operation: type | None = None
    name: str = ""  # of the operation, or of the function of `minigrad.ops` that refused its arguments
    arguments: list = field(default_factory=list)


def place_of(traceback):
    """The `Place` of an error.

    An operation counts if no line of the user's comes after it, unless that is in the user's own Function.
    """
    place, function = Place(), False
    for frame, number in tracebacks.walk_tb(traceback):
        code, names = frame.f_code, frame.f_locals
        if code is _CALL:
            place.scope = Scope(names["self"], names["outer"])
        elif code is _RUN:
            place.backward = True
        if is_users(frame):
            place.line = Line(code.co_filename, number)
            if not function:
                place.operation, place.name, place.arguments = None, "", []
        elif code in _APPLY and not function:
            place.operation = names["cls"]
            place.name = place.operation.__name__
            place.arguments = list(names["args"]) if "args" in names else [names["x"], names["y"]]
            function = issubclass(place.operation, Function)
        elif not place.name and code.co_filename.startswith(_OPERATIONS) and not code.co_name.startswith("_"):
            count = code.co_argcount + code.co_kwonlyargcount
            place.name = code.co_name
            place.arguments = [names.get(name) for name in code.co_varnames[:count]]
    return place
