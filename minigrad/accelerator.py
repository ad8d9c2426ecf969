"""Whatever accelerator there is, under `torch.accelerator`'s names: so far there is none."""

__all__ = ["current_accelerator", "device_count", "is_available"]


def is_available():
    """Whether there is an accelerator (`torch.accelerator.is_available`).

    >>> is_available()
    False
    """
    return False


def current_accelerator(check_available=False):
    """The device of the accelerator in use, or None (`torch.accelerator.current_accelerator`).

    >>> current_accelerator() is None
    True
    """


def device_count():
    """How many accelerators there are (`torch.accelerator.device_count`).

    >>> device_count()
    0
    """
    return 0
