"""Programs written for several GPUs run, too: there is one device, and it gets the whole batch."""

from .module import Module


class DataParallel(Module):
    """The module itself on the one device there is, under the name `module` (`torch.nn.DataParallel`).

    As with PyTorch the state_dict's keys begin with "module.".

    >>> import minigrad
    >>> model = DataParallel(minigrad.nn.Linear(3, 2))
    >>> model(minigrad.ones(5, 3)).shape, list(model.state_dict())
    (minigrad.Size([5, 2]), ['module.weight', 'module.bias'])
    """

    def __init__(self, module, device_ids=None, output_device=None, dim=0):
        super().__init__()
        self.module, self.dim = module, dim
        self.device_ids = []  # what PyTorch has where there is no GPU

    def forward(self, *inputs, **kwargs):
        return self.module(*inputs, **kwargs)


def data_parallel(module, inputs, device_ids=None, output_device=None, dim=0, module_kwargs=None):
    """The module's result on the one device there is (`torch.nn.parallel.data_parallel`).

    >>> import minigrad
    >>> data_parallel(minigrad.nn.ReLU(), minigrad.tensor([-1.0, 1.0]), range(2))
    tensor([0., 1.])
    """
    inputs = inputs if isinstance(inputs, tuple) else (inputs,)
    return module(*inputs, **({} if module_kwargs is None else module_kwargs))
