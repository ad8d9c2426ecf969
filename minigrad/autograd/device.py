"""Where a tensor's memory is (so far on the CPU) and in which order its elements can lie there."""

_TYPES = ("cpu", "cuda", "mps", "xpu", "meta")


class Device:
    """A device by name and number (`torch.device`); that it can be named does not mean that it is there.

    >>> Device("cpu"), Device("cuda", 1)
    (device(type='cpu'), device(type='cuda', index=1))
    """

    __slots__ = ("index", "type")

    def __init__(self, type="cpu", index=None):
        if isinstance(type, Device):
            type, index = type.type, type.index
        if isinstance(type, int):
            type, index = "cuda", type  # PyTorch counts accelerators
        name, colon, number = type.partition(":")
        if name not in _TYPES:
            raise RuntimeError(f"Expected one of {', '.join(_TYPES)} device type at start of device string: {name}")
        if colon and not number.isdecimal():
            raise RuntimeError(f"Invalid device string: '{type}'")
        self.type, self.index = name, int(number) if colon else index

    def __repr__(self):
        number = "" if self.index is None else f", index={self.index}"
        return f"device(type={self.type!r}{number})"

    def __str__(self):
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __eq__(self, other):
        if isinstance(other, Device):
            return (self.type, self.index) == (other.type, other.index)
        return isinstance(other, str) and str(self) == other

    def __hash__(self):
        return hash((self.type, self.index))

    def __enter__(self):
        present(self)
        return self

    def __exit__(self, *error):
        return None


def present(device):
    """The device on which tensors named to be on `device` are; an AssertionError, as PyTorch's, if there is none.

    >>> present("cpu:0")
    device(type='cpu')
    """
    device = Device(device)
    if device.type != "cpu":
        raise AssertionError(
            f"Torch not compiled with {device.type.upper()} enabled\nhint: minigrad has no device '{device}': the only "
            f"one so far is 'cpu'; let the program ask `{device.type}.is_available()`"
        )
    return CPU


CPU = Device("cpu")


class MemoryFormat:
    """An order of the elements in memory (`torch.memory_format`): row-major, channels-last, or as they are."""

    __slots__ = ("name",)

    def __init__(self, name):
        self.name = name

    def __repr__(self):
        return f"minigrad.{self.name}"


contiguous_format = MemoryFormat("contiguous_format")
channels_last = MemoryFormat("channels_last")
preserve_format = MemoryFormat("preserve_format")
