"""Schedules made of schedules: one after the other, or all at once."""

from bisect import bisect_right

from .base import LRScheduler, rates, set_entry
from .plateau import ReduceLROnPlateau


def _check(name, schedulers, optimizer, purpose):
    if len(schedulers) < 1:
        raise ValueError(f"{name} expects at least one scheduler{purpose}, but got no scheduler.")
    optimizer = optimizer or schedulers[0].optimizer
    for index, scheduler in enumerate(schedulers):
        if not hasattr(scheduler, "optimizer"):
            raise TypeError(f"{name} at index {index} should have `optimizer` as its attribute.")
        if isinstance(scheduler, ReduceLROnPlateau):
            raise ValueError(
                f"{name} does not support `ReduceLROnPlateau` scheduler as it requires additional kwargs to be "
                f"specified when calling `step`, but got one at index {index} in the given schedulers sequence."
            )
        if optimizer is not scheduler.optimizer:
            raise ValueError(
                f"{name} expects all schedulers to belong to the same optimizer, but got scheduler "
                f"{type(scheduler).__name__} at index {index} has {scheduler.optimizer}, which is different from "
                f"{type(optimizer).__name__}."
            )
    return optimizer


class _Combination(LRScheduler):
    """What both schedules share: their state is that of their schedules."""

    _hidden = ("optimizer", "_schedulers")

    def state_dict(self):
        """Everything but the optimizer, of the schedules their state_dicts."""
        return {**super().state_dict(), "_schedulers": [scheduler.state_dict() for scheduler in self._schedulers]}

    def load_state_dict(self, state_dict):
        """Take over a `state_dict`, and let the schedules take over theirs."""
        super().load_state_dict({key: value for key, value in state_dict.items() if key != "_schedulers"})
        for scheduler, state in zip(self._schedulers, state_dict["_schedulers"]):
            scheduler.load_state_dict(state)


class SequentialLR(_Combination):
    """One schedule after the other, the next from each epoch of `milestones` on
    (`torch.optim.lr_scheduler.SequentialLR`).

    >>> import minigrad
    >>> from minigrad.optim.lr_scheduler import ConstantLR, ExponentialLR
    >>> optimizer = minigrad.optim.SGD([minigrad.nn.Parameter(minigrad.ones(1))], lr=1.0)
    >>> warm_up, rest = ConstantLR(optimizer, factor=0.25), ExponentialLR(optimizer, gamma=0.5)
    >>> schedule = SequentialLR(optimizer, [warm_up, rest], milestones=[1])
    >>> for _ in range(3):
    ...     print(schedule.get_last_lr())
    ...     optimizer.step()
    ...     schedule.step()
    [0.25]
    [1.0]
    [0.5]
    """

    def __init__(self, optimizer, schedulers, milestones, last_epoch=-1):
        _check(type(self).__name__, schedulers, optimizer, "")
        if len(milestones) != len(schedulers) - 1:
            raise ValueError(
                "Sequential Schedulers expects number of schedulers provided to be one more than the number of "
                f"milestone points, but got number of schedulers {len(schedulers)} and the number of milestones to be "
                f"equal to {len(milestones)}"
            )
        self._schedulers, self._milestones = schedulers, milestones
        self.last_epoch, self.optimizer = last_epoch + 1, optimizer
        for group in optimizer.param_groups:  # what making the schedules has done is undone
            set_entry(group, "lr", group["initial_lr"])
        _undo(schedulers)
        first = schedulers[bisect_right(milestones, 0)]
        first._initial_step()
        self._last_lr = first.get_last_lr()

    def step(self):
        """Go on by one epoch and set the optimizer's rates."""
        self.last_epoch += 1
        index = bisect_right(self._milestones, self.last_epoch)
        scheduler = self._schedulers[index]
        if index > 0 and self._milestones[index - 1] == self.last_epoch:
            scheduler._update_lr(0)
        else:
            scheduler.step()
        self._last_lr = scheduler.get_last_lr()


def _undo(schedulers):
    """Take back the first step of schedules, and of those that they are made of."""
    for scheduler in schedulers:
        if hasattr(scheduler, "_schedulers"):
            _undo(scheduler._schedulers)
        elif hasattr(scheduler, "last_epoch"):
            scheduler.last_epoch -= 1


class ChainedScheduler(_Combination):
    """Several schedules at once, each going on from the rates of the one before
    (`torch.optim.lr_scheduler.ChainedScheduler`).

    >>> import minigrad
    >>> from minigrad.optim.lr_scheduler import ConstantLR, ExponentialLR
    >>> optimizer = minigrad.optim.SGD([minigrad.nn.Parameter(minigrad.ones(1))], lr=1.0)
    >>> schedule = ChainedScheduler([ConstantLR(optimizer, factor=0.25), ExponentialLR(optimizer, gamma=0.5)])
    >>> optimizer.step()
    >>> schedule.step()
    >>> schedule.get_last_lr()
    [0.125]
    """

    def __init__(self, schedulers, optimizer=None):
        self.optimizer = _check(type(self).__name__, schedulers, optimizer, " to be chained")
        self._schedulers = schedulers
        self._last_lr = rates(self.optimizer)

    def step(self):
        """Go on by one epoch and set the optimizer's rates."""
        for scheduler in self._schedulers:
            scheduler.step()
        self._last_lr = rates(self.optimizer)
