"""Averages of a model's parameters along its training (`torch.optim.swa_utils`)."""

from copy import deepcopy
from itertools import chain
from math import cos, pi

from minigrad.autograd import no_grad
from minigrad.nn import Module
from minigrad.nn.normalization import BatchNorm1d, BatchNorm2d, BatchNorm3d
from minigrad.ops import functions

from .lr_scheduler import LRScheduler
from .lr_scheduler.base import one_a_group


def _check_decay(decay):
    if not 0.0 <= decay <= 1.0:
        raise ValueError(f"Invalid decay value {decay} provided. Please provide a value in [0,1] range.")


def get_ema_avg_fn(decay=0.999):
    """The exponential moving average: decay · average + (1 - decay) · parameter, an `avg_fn`.

    >>> import minigrad
    >>> get_ema_avg_fn(0.5)(minigrad.ones(1), minigrad.zeros(1), 3)
    tensor([0.5000])
    """
    _check_decay(decay)

    @no_grad()
    def ema_update(ema_param, current_param, num_averaged):
        return decay * ema_param + (1 - decay) * current_param

    return ema_update


def get_swa_avg_fn():
    """The plain average of all that was seen: average + (parameter - average) / (n + 1), an `avg_fn`.

    >>> import minigrad
    >>> get_swa_avg_fn()(minigrad.ones(1), minigrad.zeros(1), 3)
    tensor([0.7500])
    """

    @no_grad()
    def swa_update(averaged_param, current_param, num_averaged):
        return averaged_param + (current_param - averaged_param) / (num_averaged + 1)

    return swa_update


def get_ema_multi_avg_fn(decay=0.999):
    """The exponential moving average, written into a list of averages: a `multi_avg_fn`.

    >>> import minigrad
    >>> average = minigrad.ones(1)
    >>> get_ema_multi_avg_fn(0.5)([average], [minigrad.zeros(1)], 3)
    >>> average
    tensor([0.5000])
    """
    _check_decay(decay)
    return _for_lists(get_ema_avg_fn(decay))


def get_swa_multi_avg_fn():
    """The plain average, written into a list of averages: a `multi_avg_fn`.

    >>> import minigrad
    >>> average = minigrad.ones(1)
    >>> get_swa_multi_avg_fn()([average], [minigrad.zeros(1)], 3)
    >>> average
    tensor([0.7500])
    """
    return _for_lists(get_swa_avg_fn())


def _for_lists(avg_fn):
    @no_grad()
    def update(averages, current_params, num_averaged):
        for average, current in zip(averages, current_params, strict=True):
            average.copy_(avg_fn(average, current, num_averaged))

    return update


class AveragedModel(Module):
    """A copy of a model, `module`, whose parameters are averages of the model's
    (`torch.optim.swa_utils.AveragedModel`).

    `update_parameters(model)` takes in the model's present parameters: by `avg_fn(average, parameter, n)`, which
    returns the new average, or `multi_avg_fn(averages, parameters, n)`, which writes it; the plain average without
    either. Buffers are copied, or averaged with `use_buffers`. Izmailov et al. 2018, https://arxiv.org/abs/1803.05407.

    >>> import minigrad
    >>> model = minigrad.nn.Linear(1, 1)
    >>> average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.9))
    >>> average.update_parameters(model)
    >>> average.n_averaged.item()
    1
    """

    def __init__(self, model, device=None, avg_fn=None, multi_avg_fn=None, use_buffers=False):
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise AssertionError("Only one of avg_fn and multi_avg_fn should be provided")
        self.module = deepcopy(model) if device is None else deepcopy(model).to(device)
        self.register_buffer("n_averaged", functions["tensor"](0))
        self.avg_fn, self.multi_avg_fn, self.use_buffers = avg_fn, multi_avg_fn, use_buffers

    def forward(self, *args, **kwargs):
        """What the averaged model computes."""
        return self.module(*args, **kwargs)

    def update_parameters(self, model):
        """Take in the present parameters of `model`."""
        pairs = list(zip(self.module.parameters(), model.parameters()))
        buffers = list(zip(self.module.buffers(), model.buffers()))
        averaged = [*pairs, *buffers] if self.use_buffers else pairs
        averages = [average.detach() for average, _ in averaged]
        current = [value.detach() for _, value in averaged]
        if self.n_averaged == 0:
            for average, value in chain(zip(averages, current), [] if self.use_buffers else buffers):
                average.copy_(value)
        else:
            update = self.multi_avg_fn or _for_lists(self.avg_fn or get_swa_avg_fn())
            update(averages, current, self.n_averaged)
            for average, value in [] if self.use_buffers else buffers:
                average.copy_(value)
        self.n_averaged += 1


@no_grad()
def update_bn(loader, model, device=None):
    """Compute the running statistics of a model's batch norms afresh, over all batches of `loader`.

    A batch is the model's input, or a list or tuple that begins with it (`torch.optim.swa_utils.update_bn`).

    >>> import minigrad
    >>> model = minigrad.nn.BatchNorm1d(1)
    >>> update_bn([minigrad.tensor([[1.0], [3.0]]), minigrad.tensor([[5.0], [7.0]])], model)
    >>> model.running_mean
    tensor([4.])
    """
    momenta = {m: m.momentum for m in model.modules() if isinstance(m, BatchNorm1d | BatchNorm2d | BatchNorm3d)}
    if not momenta:
        return
    was_training = model.training
    model.train()
    for module in momenta:
        module.reset_running_stats()
        module.momentum = None
    for batch in loader:
        x = batch[0] if isinstance(batch, list | tuple) else batch
        model(x if device is None else x.to(device))
    for module, momentum in momenta.items():
        module.momentum = momentum
    model.train(was_training)


class SWALR(LRScheduler):
    """From the present rate to `swa_lr` in `anneal_epochs`, along half a cosine ("cos") or a line ("linear"), and
    constant from then on (`torch.optim.swa_utils.SWALR`).

    >>> import minigrad
    >>> optimizer = minigrad.optim.SGD([minigrad.nn.Parameter(minigrad.ones(1))], lr=1.0)
    >>> schedule = SWALR(optimizer, swa_lr=0.5, anneal_epochs=2, anneal_strategy="linear")
    >>> optimizer.step()
    >>> schedule.step()
    >>> schedule.get_last_lr()
    [0.75]
    """

    def __init__(self, optimizer, swa_lr, anneal_epochs=10, anneal_strategy="cos", last_epoch=-1):
        for group, rate in zip(optimizer.param_groups, one_a_group("swa_lr", optimizer, swa_lr)):
            group["swa_lr"] = rate
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}")
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise ValueError(f"anneal_epochs must be equal or greater than 0, got {anneal_epochs}")
        self.anneal_epochs, self._anneal_strategy = anneal_epochs, anneal_strategy
        super().__init__(optimizer, last_epoch)

    def _part(self, step):
        """How much of the way has been gone after some steps."""
        t = max(0, min(1, step / max(1, self.anneal_epochs)))
        return (1 - cos(pi * t)) / 2 if self._anneal_strategy == "cos" else t

    def get_lr(self):
        """The rates for this epoch."""
        self._warn_outside_step()
        step = self._step_count - 1 if self.anneal_epochs else max(1, self._step_count - 1)
        before, now, result = self._part(step - 1), self._part(step), []
        for group in self.optimizer.param_groups:
            end = group["swa_lr"]
            start = end if before == 1 else (group["lr"] - before * end) / (1 - before)
            result.append(end * now + start * (1 - now))
        return result
