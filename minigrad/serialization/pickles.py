"""A small interpreter of pickles (protocols 2 to 5) that can build plain data and what `builders` knows.

A pickle is a program for a machine with a stack and a memo (https://docs.python.org/3/library/pickletools.html). The
opcodes that import and call are here: the name of a function or class becomes a `Builder` of `builders.BUILDERS`, or
the file is refused, and only a Builder can be called. Nothing is looked up in Python's modules, so there is nothing to
attack. What a file can make the machine allocate is counted.
"""

import struct
from collections import Counter, OrderedDict

from .files import SLACK, Malformed

_LONG = (str, bytes, bytearray, list, tuple, dict, set, frozenset)  # what takes memory again when it is copied


class Builder:
    """What a pickle may call: `function`, with arguments that come from the file and are checked there."""

    __slots__ = ("function", "name")

    def __init__(self, name, function):
        self.name, self.function = name, function


class Machine:
    """Runs one pickle from `source`, which offers exact `read(count)` and `readline()`.

    `named` finds the value of a global name, or raises; `storage` makes one of a persistent id; `built` gives state to
    an object. `size` is the size of the file: what is built may take twice that, and a fixed amount.
    """

    def __init__(self, source, size, named, storage, built):
        self.source, self.named, self.storage, self.built = source, named, storage, built
        self.left = SLACK + 2 * size
        self.stack, self.marks, self.memo = [], [], {}

    def run(self):
        """The object that the pickle describes."""
        read = self.source.read
        while (code := read(1)) != b".":
            if code not in _OPCODES:
                raise Malformed(f"the pickle has an opcode {code!r} that no checkpoint needs")
            layout, cost, action = _OPCODES[code]
            self.spend(cost)
            if layout is None:
                action(self)
            else:
                action(self, struct.unpack(layout, read(struct.calcsize(layout)))[0])
        return self.pop()

    def spend(self, count):
        """Count `count` more bytes of memory; too many are an error."""
        self.left -= count
        if self.left < 0:
            raise Malformed("the pickle would take much more memory than the file")

    def pop(self):
        """The topmost value, taken off the stack."""
        if not self.stack:
            raise Malformed("the pickle takes from an empty stack")
        return self.stack.pop()

    def top(self):
        """The topmost value, left there."""
        if not self.stack:
            raise Malformed("the pickle takes from an empty stack")
        return self.stack[-1]

    def push(self, value):
        """Put a value on the stack."""
        self.stack.append(value)

    def pop_mark(self):
        """The values above the last mark, taken off with it."""
        if not self.marks:
            raise Malformed("the pickle takes from an empty stack")
        items, self.stack = self.stack, self.marks.pop()
        return items

    def bytes(self, count):
        """The next `count` bytes."""
        self.spend(count)
        return self.source.read(count)

    def text(self, count):
        """The next `count` bytes as a string."""
        try:
            return self.bytes(count).decode("utf-8", "surrogatepass")
        except UnicodeDecodeError as error:
            raise Malformed(f"a string in the pickle is not UTF-8: {error}") from error

    def remember(self, place):
        """Note the topmost value in the memo."""
        self.memo[place] = self.top()

    def recall(self, place):
        """Put a value of the memo on the stack."""
        if place not in self.memo:
            raise Malformed(f"the pickle recalls number {place}, which it did not note")
        self.push(self.memo[place])

    def call(self):
        """Replace a Builder and its arguments by what it builds."""
        arguments, builder = self.pop(), self.pop()
        if type(builder) is not Builder or type(arguments) is not tuple:
            raise Malformed("the pickle calls what is no function")
        self.spend(512 + sum(64 * len(item) for item in arguments if isinstance(item, _LONG)))
        self.push(refused(builder.name, builder.function, *arguments))

    def fill_list(self, items):
        """Append to the list on top."""
        if type(self.top()) is not list:
            raise Malformed("the pickle appends to what is no list")
        self.top().extend(items)

    def fill_set(self, items):
        """Add to the set on top."""
        if type(self.top()) is not set:
            raise Malformed("the pickle adds to what is no set")
        self.top().update(map(key, items))
        self.spend(64 * len(items))

    def fill_dict(self, items):
        """Set keys and values, which alternate, of the dict on top."""
        target = self.top()
        if type(target) not in (dict, OrderedDict, Counter) or len(items) % 2:
            raise Malformed("the pickle sets entries of what is no dict")
        self.spend(64 * len(items))
        for i in range(0, len(items), 2):
            target[key(items[i])] = items[i + 1]

    def global_(self, module, name):
        """Put the value of a global name on the stack."""
        self.push(self.named(module, name))


def refused(name, function, *arguments):
    """`function(*arguments)`; arguments that do not fit are the file's fault."""
    try:
        return function(*arguments)
    except Malformed:
        raise
    except (TypeError, ValueError, LookupError, ArithmeticError, AttributeError, RuntimeError, MemoryError) as error:
        raise Malformed(f"the arguments of {name} in the pickle do not fit: {error}") from error


def key(value, depth=0):
    """`value` if it can be a dict's key without harm: hashing deep tuples or crafted numbers can take forever."""
    kind = type(value)
    if value is None or kind in (bool, str, float, bytes) or (kind is int and abs(value) < 2**61 - 1):
        return value
    if isinstance(value, tuple) and depth < 3 and len(value) <= 16:
        for item in value:
            key(item, depth + 1)
        return value
    raise Malformed(f"the pickle has a dict or set with a key of type {kind.__name__}, or too large a key")


def _tuple_of(count):
    def action(machine):
        items = [machine.pop() for _ in range(count)]
        machine.push(tuple(reversed(items)))

    return action


def _constant(make):
    return lambda machine: machine.push(make())


def _number(machine, value):
    machine.push(value)


def _long(machine, count):
    if count > 255:
        raise Malformed(f"a number of {count} bytes")
    machine.push(int.from_bytes(machine.bytes(count), "little", signed=True))


def _string(machine, count):
    machine.push(machine.text(count))


def _bytes(machine, count):
    machine.push(machine.bytes(count))


def _python2_string(machine, count):
    data = machine.bytes(count)
    try:
        machine.push(data.decode())
    except UnicodeDecodeError:
        machine.push(data)


def _mark(machine):
    machine.marks.append(machine.stack)
    machine.stack = []


def _global(machine):
    machine.global_(
        *(refused("a name", line.decode) for line in (machine.source.readline(), machine.source.readline()))
    )


def _stack_global(machine):
    name, module = machine.pop(), machine.pop()
    if type(module) is not str or type(name) is not str:
        raise Malformed("the pickle names a function by what is no string")
    machine.global_(module, name)


def _set_item(machine):
    value = machine.pop()
    machine.fill_dict([machine.pop(), value])


def _append(machine):
    machine.fill_list([machine.pop()])


def _build(machine):
    state = machine.pop()
    machine.spend(64 + (len(state[-1]) if type(state) is tuple and state and type(state[-1]) is bytes else 0))
    refused("a state", machine.built, machine.top(), state)


def _nothing(machine, argument=0):
    """An opcode that says how to read the pickle, not what it builds."""


# opcode: (the layout of its argument, the bytes of memory that its result takes, what it does)
_OPCODES = {
    b"\x80": ("B", 0, _nothing),  # PROTO
    b"\x95": ("<Q", 0, _nothing),  # FRAME
    b"(": (None, 72, _mark),
    b"0": (None, 0, Machine.pop),
    b"1": (None, 0, Machine.pop_mark),
    b"N": (None, 8, _constant(lambda: None)),
    b"\x88": (None, 8, _constant(lambda: True)),
    b"\x89": (None, 8, _constant(lambda: False)),
    b"J": ("<i", 40, _number),
    b"K": ("B", 8, _number),
    b"M": ("<H", 40, _number),
    b"G": (">d", 32, _number),
    b"\x8a": ("B", 40, _long),
    b"\x8b": ("<I", 40, _long),
    b"X": ("<I", 64, _string),
    b"\x8c": ("B", 64, _string),
    b"\x8d": ("<Q", 64, _string),
    b"T": ("<I", 64, _python2_string),
    b"U": ("B", 64, _python2_string),
    b"B": ("<I", 48, _bytes),
    b"C": ("B", 48, _bytes),
    b"\x8e": ("<Q", 48, _bytes),
    b"\x96": ("<Q", 64, lambda machine, count: machine.push(bytearray(machine.bytes(count)))),
    b"]": (None, 72, _constant(list)),
    b"}": (None, 72, _constant(dict)),
    b"\x8f": (None, 224, _constant(set)),
    b")": (None, 8, _constant(tuple)),
    b"t": (None, 48, lambda machine: machine.push(tuple(machine.pop_mark()))),
    b"\x85": (None, 64, _tuple_of(1)),
    b"\x86": (None, 64, _tuple_of(2)),
    b"\x87": (None, 64, _tuple_of(3)),
    b"a": (None, 8, _append),
    b"e": (None, 0, lambda machine: machine.fill_list(machine.pop_mark())),
    b"s": (None, 0, _set_item),
    b"u": (None, 0, lambda machine: machine.fill_dict(machine.pop_mark())),
    b"\x90": (None, 0, lambda machine: machine.fill_set(machine.pop_mark())),
    b"\x91": (None, 224, lambda machine: machine.push(frozenset(map(key, machine.pop_mark())))),
    b"q": ("B", 104, Machine.remember),
    b"r": ("<I", 104, Machine.remember),
    b"\x94": (None, 104, lambda machine: machine.remember(len(machine.memo))),
    b"h": ("B", 8, Machine.recall),
    b"j": ("<I", 8, Machine.recall),
    b"c": (None, 64, _global),
    b"\x93": (None, 64, _stack_global),
    b"R": (None, 0, Machine.call),
    b"\x81": (None, 0, Machine.call),  # NEWOBJ: cls.__new__(cls, *arguments)
    b"b": (None, 0, _build),
    b"Q": (None, 0, lambda machine: machine.push(refused("a storage", machine.storage, machine.pop()))),
}
