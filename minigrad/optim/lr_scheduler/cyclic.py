"""Schedules that go up and down, the momentum the other way round: cycles, and the one cycle of super-convergence."""

from math import cos, floor, pi

from .base import LRScheduler, check_optimizer, one_a_group, set_entry, state_of


def _set_momentum(group, value, use_beta1):
    """Set a group's momentum, which is its first beta where the optimizer has betas."""
    if use_beta1:
        group["betas"] = (value, *group["betas"][1:])
    else:
        group["momentum"] = value


class _Cycle(LRScheduler):
    """What both schedules share: the range of the momentum."""

    def _start_momentum(self, optimizer, base_momentum, max_momentum, last_epoch):
        if "momentum" not in optimizer.defaults and "betas" not in optimizer.defaults:
            raise ValueError("optimizer must support momentum or beta1 with `cycle_momentum` option enabled")
        self.use_beta1 = "betas" in optimizer.defaults
        lows = one_a_group("base_momentum", optimizer, base_momentum)
        highs = one_a_group("max_momentum", optimizer, max_momentum)
        if last_epoch == -1:
            for group, low, high in zip(optimizer.param_groups, lows, highs):
                _set_momentum(group, high, self.use_beta1)
                group["max_momentum"], group["base_momentum"] = high, low
        return lows, highs


class CyclicLR(_Cycle):
    """From `base_lr` up to `max_lr` in `step_size_up` steps and down again in `step_size_down`, over and over
    (`torch.optim.lr_scheduler.CyclicLR`).

    The height of a cycle is scaled by `mode`: "triangular" not, "triangular2" by 1/2 each time, "exp_range" by
    gamma^step; or by `scale_fn` of the cycle's (`scale_mode` "cycle") or the step's ("iterations") number. The momentum
    goes from `max_momentum` down to `base_momentum` and up again. Call `step()` after every batch. Smith 2017,
    https://arxiv.org/abs/1506.01186.

    >>> import minigrad
    >>> optimizer = minigrad.optim.SGD([minigrad.nn.Parameter(minigrad.ones(1))], lr=1.0)
    >>> schedule = CyclicLR(optimizer, base_lr=1.0, max_lr=2.0, step_size_up=2)
    >>> optimizer.step()
    >>> schedule.step()
    >>> schedule.get_last_lr()
    [1.5]
    """

    _hidden = ("optimizer", "_scale_fn_custom")

    def __init__(
        self, optimizer, base_lr, max_lr, step_size_up=2000, step_size_down=None, mode="triangular", gamma=1.0,
        scale_fn=None, scale_mode="cycle", cycle_momentum=True, base_momentum=0.8, max_momentum=0.9, last_epoch=-1,
    ):  # fmt: skip
        check_optimizer(optimizer)
        base_lrs = one_a_group("base_lr", optimizer, base_lr)
        if last_epoch == -1:
            for group, rate in zip(optimizer.param_groups, base_lrs):
                set_entry(group, "lr", rate)
        self.max_lrs = one_a_group("max_lr", optimizer, max_lr)
        up, down = float(step_size_up), float(step_size_up if step_size_down is None else step_size_down)
        self.total_size, self.step_ratio = up + down, up / (up + down)
        if mode not in ("triangular", "triangular2", "exp_range") and scale_fn is None:
            raise ValueError("mode is invalid and scale_fn is None")
        self.mode, self.gamma, self._scale_fn_custom = mode, gamma, scale_fn
        self.scale_mode = scale_mode if scale_fn is not None else "iterations" if mode == "exp_range" else "cycle"
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self.base_momentums, self.max_momentums = self._start_momentum(
                optimizer, base_momentum, max_momentum, last_epoch
            )
        super().__init__(optimizer, last_epoch)
        self.base_lrs = base_lrs

    def scale_fn(self, x):
        """What the height of a cycle is multiplied by, at the number of a cycle or of a step."""
        if self._scale_fn_custom is not None:
            return self._scale_fn_custom(x)
        return {"triangular": 1.0, "triangular2": 0.5 ** (x - 1), "exp_range": self.gamma**x}[self.mode]

    def get_lr(self):
        """The rates for this step; sets the momentum too."""
        self._warn_outside_step()
        cycle = floor(1 + self.last_epoch / self.total_size)
        x = 1.0 + self.last_epoch / self.total_size - cycle
        height = x / self.step_ratio if x <= self.step_ratio else (x - 1) / (self.step_ratio - 1)
        scale = self.scale_fn(cycle if self.scale_mode == "cycle" else self.last_epoch)
        if self.cycle_momentum:
            for group, low, high in zip(self.optimizer.param_groups, self.base_momentums, self.max_momentums):
                _set_momentum(group, high - (high - low) * height * scale, self.use_beta1)
        return [low + (high - low) * height * scale for low, high in zip(self.base_lrs, self.max_lrs)]

    def state_dict(self):
        """Everything but the optimizer, of a scale_fn its attributes."""
        return {**super().state_dict(), "_scale_fn_custom": state_of(self._scale_fn_custom)}

    def load_state_dict(self, state_dict):
        """Take over a `state_dict`; a scale_fn is the one that the schedule was made with."""
        super().load_state_dict({key: value for key, value in state_dict.items() if key != "_scale_fn_custom"})
        if state_dict["_scale_fn_custom"] is not None:
            self._scale_fn_custom.__dict__.update(state_dict["_scale_fn_custom"])


# names of the group's entries between which a phase goes: rate from, rate to, momentum from, momentum to
_RISE = ("initial_lr", "max_lr", "max_momentum", "base_momentum")
_FALL = ("max_lr", "min_lr", "base_momentum", "max_momentum")
_FALL_BACK = ("max_lr", "initial_lr", "base_momentum", "max_momentum")
_END = ("initial_lr", "min_lr", "max_momentum", "max_momentum")


class OneCycleLR(_Cycle):
    """Once from `max_lr` / `div_factor` up to `max_lr` and down to 1 / `final_div_factor` of the beginning
    (`torch.optim.lr_scheduler.OneCycleLR`).

    There are `total_steps`, or `epochs` · `steps_per_epoch`, steps, of which the rise takes the fraction `pct_start`,
    along half a cosine ("cos") or a straight line ("linear"). With `three_phase` the fall to the beginning takes as
    long as the rise, and the rest goes on from there. The momentum goes the other way round. Call `step()` after every
    batch; a step too many is a ValueError. Smith and Topin 2019, https://arxiv.org/abs/1708.07120.

    >>> import minigrad
    >>> optimizer = minigrad.optim.SGD([minigrad.nn.Parameter(minigrad.ones(1))], lr=1.0)
    >>> schedule = OneCycleLR(optimizer, max_lr=1.0, total_steps=10, div_factor=4.0)
    >>> schedule.get_last_lr()
    [0.25]
    >>> for _ in range(2):
    ...     optimizer.step()
    ...     schedule.step()
    >>> schedule.get_last_lr()
    [1.0]
    """

    def __init__(
        self, optimizer, max_lr, total_steps=None, epochs=None, steps_per_epoch=None, pct_start=0.3,
        anneal_strategy="cos", cycle_momentum=True, base_momentum=0.85, max_momentum=0.95, div_factor=25.0,
        final_div_factor=1e4, three_phase=False, last_epoch=-1,
    ):  # fmt: skip
        check_optimizer(optimizer)
        if total_steps is not None:
            self.total_steps = _positive("total_steps", total_steps)
        elif epochs is not None and steps_per_epoch is not None:
            self.total_steps = _positive("epochs", epochs) * _positive("steps_per_epoch", steps_per_epoch)
        else:
            raise ValueError("You must define either total_steps OR (epochs AND steps_per_epoch)")
        if not isinstance(pct_start, float) or not 0 <= pct_start <= 1:
            raise ValueError(f"Expected float between 0 and 1 pct_start, but got {pct_start}")
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}")
        peak, end = float(pct_start * self.total_steps), self.total_steps - 1
        phases = [(peak - 1, _RISE), (2 * peak - 2, _FALL_BACK), (end, _END)] if three_phase else [
            (peak - 1, _RISE), (end, _FALL)
        ]  # fmt: skip
        keys = ("start_lr", "end_lr", "start_momentum", "end_momentum")
        self._schedule_phases = [{"end_step": last, **dict(zip(keys, names))} for last, names in phases]
        self._anneal_func_type = anneal_strategy
        highs = one_a_group("max_lr", optimizer, max_lr)
        if last_epoch == -1:
            for group, high in zip(optimizer.param_groups, highs):
                group["initial_lr"] = high / div_factor
                group["max_lr"], group["min_lr"] = high, group["initial_lr"] / final_div_factor
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self._start_momentum(optimizer, base_momentum, max_momentum, last_epoch)
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        """The rates for this step; sets the momentum too."""
        self._warn_outside_step()
        step, start = self.last_epoch, 0.0
        if step > self.total_steps:
            raise ValueError(f"Tried to step {step} times. The specified number of total steps is {self.total_steps}")
        for phase in self._schedule_phases:
            if step <= phase["end_step"] or phase is self._schedule_phases[-1]:
                break
            start = phase["end_step"]
        part = (step - start) / (phase["end_step"] - start)
        for group in self.optimizer.param_groups if self.cycle_momentum else []:
            momentum = self._between(group[phase["start_momentum"]], group[phase["end_momentum"]], part)
            _set_momentum(group, momentum, self.use_beta1)
        return [
            self._between(group[phase["start_lr"]], group[phase["end_lr"]], part)
            for group in self.optimizer.param_groups
        ]

    def _between(self, start, end, part):
        if self._anneal_func_type == "cos":
            return end + (start - end) / 2.0 * (cos(pi * part) + 1)
        return (end - start) * part + start


def _positive(name, number):
    if number <= 0 or not isinstance(number, int):
        raise ValueError(f"Expected positive integer {name}, but got {number}")
    return number
