"""Automatic mixed precision under `torch.amp`'s names: minigrad computes in the tensors' own dtypes.

Programs that ask for it run as they would in PyTorch where the hardware has no half precision: with a warning, in full
precision, and with gradients that need no scaling.
"""

import warnings
from contextlib import ContextDecorator

__all__ = ["GradScaler", "autocast"]


class autocast(ContextDecorator):
    """A context, or a decorator, in which operations may use less precise dtypes: here they do not (`torch.autocast`).

    A warning says so once if it is enabled.

    >>> with autocast("cpu", enabled=False):
    ...     pass
    """

    def __init__(self, device_type="cuda", dtype=None, enabled=True, cache_enabled=None):
        self.device = device_type
        if enabled:
            warnings.warn("minigrad computes in the tensors' own dtypes. Disabling autocast.", stacklevel=2)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None


class GradScaler:
    """Scales a loss so that half-precision gradients do not vanish: here none are, and the scale is 1.

    Source: `torch.amp.GradScaler`, which does the same where it is disabled; one that is enabled warns.

    >>> import minigrad
    >>> scaler = GradScaler(enabled=False)
    >>> scaler.scale(minigrad.tensor(2.0))
    tensor(2.)
    """

    def __init__(
        self,
        device="cuda",
        init_scale=65536.0,
        growth_factor=2.0,
        backoff_factor=0.5,
        growth_interval=2000,
        enabled=True,
    ):
        if enabled:
            warnings.warn("minigrad computes in the tensors' own dtypes. Disabling the GradScaler.", stacklevel=2)

    def scale(self, outputs):
        """`outputs` as they are."""
        return outputs

    def unscale_(self, optimizer):
        """Nothing: the gradients are not scaled."""

    def step(self, optimizer, *args, **kwargs):
        """`optimizer.step(...)`."""
        return optimizer.step(*args, **kwargs)

    def update(self, new_scale=None):
        """Nothing: the scale is 1."""

    def get_scale(self):
        """The scale, 1."""
        return 1.0

    def is_enabled(self):
        """False: gradients are never scaled."""
        return False

    def state_dict(self):
        """Nothing to save."""
        return {}

    def load_state_dict(self, state_dict):
        """Nothing to load."""
