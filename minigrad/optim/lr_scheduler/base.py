"""What all schedules share: the initial rates, the count of epochs, `step`, and their state."""

import types
import warnings
from contextlib import contextmanager

from minigrad.autograd import Tensor

from ..optimizer import Optimizer

EPOCH_WARNING = (
    "The epoch parameter in `scheduler.step()` was not necessary and is being deprecated where possible. Please use "
    "`scheduler.step()` to step the scheduler. During the deprecation, if epoch is different from None, the closed "
    "form is used instead of the new chainable form, where available."
)


class LRScheduler:
    """Base of the schedules (`torch.optim.lr_scheduler.LRScheduler`).

    Call `step()` once an epoch, after the optimizer's steps. A subclass defines `get_lr()`, the rates for epoch
    `last_epoch`, one a group; it may go on from the rates that the groups have, so that several schedules can be
    chained. One that defines `_get_closed_form_lr()` too can be set to any epoch by `step(epoch)`.

    >>> import minigrad
    >>> class Halving(LRScheduler):
    ...     def get_lr(self):
    ...         return [rate / 2**self.last_epoch for rate in self.base_lrs]
    >>> optimizer = minigrad.optim.SGD([minigrad.nn.Parameter(minigrad.ones(1))], lr=1.0)
    >>> schedule = Halving(optimizer)
    >>> optimizer.step()
    >>> schedule.step()
    >>> schedule.get_last_lr()
    [0.5]
    """

    _hidden: tuple[str, ...] = ("optimizer",)  # attributes that are no part of the state
    _get_lr_called_within_step = _is_initial = False

    def __init__(self, optimizer, last_epoch=-1):
        check_optimizer(optimizer)
        self.optimizer = optimizer
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", copied(group["lr"]))
            elif "initial_lr" not in group:
                raise KeyError(
                    f"param 'initial_lr' is not specified in param_groups[{i}] when resuming scheduler with last_epoch "
                    ">= 0.\nhint: load the optimizer's state_dict before making the schedule"
                )
        self.base_lrs = rates(optimizer, "initial_lr")
        self.last_epoch = last_epoch
        optimizer.__dict__.setdefault("_opt_called", False)
        self._initial_step()

    def _initial_step(self):
        """Set the rates for the first epoch."""
        self._step_count, self._is_initial = 0, True
        try:
            self.step()
        finally:
            self._is_initial = False

    def get_lr(self):
        """The rates for epoch `last_epoch`, one a group; every subclass defines this."""
        raise NotImplementedError(f"{type(self).__name__} needs get_lr()")

    def step(self, epoch=None):
        """Go on by one epoch, or to `epoch`, and set the optimizer's rates."""
        if self._step_count == 1 and not self.optimizer._opt_called:
            warnings.warn(
                "Detected call of `lr_scheduler.step()` before `optimizer.step()`. In PyTorch 1.1.0 and later, you "
                "should call them in the opposite order: `optimizer.step()` before `lr_scheduler.step()`.  Failure to "
                "do this will result in PyTorch skipping the first value of the learning rate schedule. See more "
                "details at https://pytorch.org/docs/stable/optim.html#how-to-adjust-learning-rate",
                UserWarning,
                stacklevel=2,
            )
        self._step_count += 1
        if epoch is not None:
            warnings.warn(EPOCH_WARNING, UserWarning, stacklevel=2)
        self._update_lr(epoch)

    def _update_lr(self, epoch=None):
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        closed = epoch is not None and hasattr(self, "_get_closed_form_lr")
        self._set_rates(self._get_closed_form_lr if closed else self.get_lr)

    def _set_rates(self, compute):
        """Give the groups the rates that `compute()` returns."""
        with self._computing():
            values = compute()
        for group, value in zip(self.optimizer.param_groups, values, strict=True):
            set_entry(group, "lr", value)
        self._last_lr = rates(self.optimizer)

    @contextmanager
    def _computing(self):
        self._get_lr_called_within_step = True
        try:
            yield
        finally:
            self._get_lr_called_within_step = False

    def _warn_outside_step(self):
        if not self._get_lr_called_within_step:
            warnings.warn(
                "To get the last learning rate computed by the scheduler, please use `get_last_lr()`.",
                UserWarning,
                stacklevel=3,
            )

    def _scaled(self, factor):
        """The groups' present rates times `factor`."""
        return [group["lr"] * factor for group in self.optimizer.param_groups]

    def get_last_lr(self):
        """The rates that the last `step` set, one a group."""
        return self._last_lr

    def state_dict(self):
        """Everything but the optimizer."""
        return {key: value for key, value in self.__dict__.items() if key not in self._hidden}

    def load_state_dict(self, state_dict):
        """Take over a `state_dict`; the optimizer's rates come with its own."""
        self.__dict__.update(state_dict)


def check_optimizer(optimizer):
    """Raise a TypeError for what is no optimizer."""
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")


def copied(value):
    """A copy of a tensor; a number itself."""
    return value.clone() if isinstance(value, Tensor) else value


def rates(optimizer, key="lr"):
    """An entry of all groups."""
    return [copied(group[key]) for group in optimizer.param_groups]


def set_entry(group, key, value):
    """Set an entry of a group; a tensor is written into."""
    if isinstance(group[key], Tensor):
        group[key].fill_(float(value))
    else:
        group[key] = value


def one_a_group(name, optimizer, value):
    """`value`, or its entries if it is a list or tuple, one a group."""
    number = len(optimizer.param_groups)
    values = list(value) if isinstance(value, list | tuple) else [value] * number
    if len(values) != number:
        raise ValueError(
            f"{name} must have the same length as optimizer.param_groups. {name} has {len(values)} values, "
            f"param_groups has {number}."
        )
    return [copied(value) for value in values]


def state_of(function):
    """What a state_dict holds of a user's function: the attributes of an object, nothing of a plain function."""
    return None if isinstance(function, types.FunctionType) or function is None else dict(function.__dict__)
