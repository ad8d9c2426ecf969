"""Where a tensor's memory is (so far on the CPU) and in which order its elements can lie there."""


class Device:
    """A device by name (`torch.device`).

    >>> Device("cpu")
    device(type='cpu')
    """

    __slots__ = ("index", "type")

    def __init__(self, device="cpu"):
        name = device.type if isinstance(device, Device) else device
        if name not in ("cpu", "cpu:0"):
            raise RuntimeError(f"minigrad has no device {name!r}\nhint: the only device so far is 'cpu'")
        self.type, self.index = "cpu", None

    def __repr__(self):
        return f"device(type={self.type!r})"

    def __str__(self):
        return self.type

    def __eq__(self, other):
        return self.type == (other.type if isinstance(other, Device) else other)

    def __hash__(self):
        return hash(self.type)


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
