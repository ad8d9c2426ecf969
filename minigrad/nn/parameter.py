"""Parameters and buffers: the tensors that belong to a module, and those whose shape the first input decides."""

from minigrad.autograd import Tensor
from minigrad.ops import functions


class Parameter(Tensor):
    """A tensor that a module registers when it is assigned as an attribute (`torch.nn.Parameter`).

    It requires grad unless told otherwise and shares the memory of `data`.

    >>> import minigrad
    >>> Parameter(minigrad.ones(2)).requires_grad
    True
    """

    __slots__ = ()

    def __init__(self, data=None, requires_grad=True):
        source = functions["empty"](0) if data is None else functions["as_tensor"](data)
        self._init(source.detach()._array)
        self.requires_grad_(requires_grad)

    def __deepcopy__(self, memo):
        result = type(self).__new__(type(self))  # without the gradient, as in PyTorch
        result._init(self._array.copy(order="K"))
        return result.requires_grad_(self.requires_grad)


class Buffer(Tensor):
    """A tensor that a module registers as a buffer when it is assigned as an attribute (`torch.nn.Buffer`).

    It shares the memory of `data`; unless `persistent` it is not in the `state_dict`.

    >>> import minigrad
    >>> module = minigrad.nn.Module()
    >>> module.mean = Buffer(minigrad.zeros(2))
    >>> [name for name, _ in module.named_buffers()]
    ['mean']
    """

    __slots__ = ("persistent",)

    def __init__(self, data=None, *, persistent=True):
        source = functions["empty"](0) if data is None else functions["as_tensor"](data)
        self._init(source.detach()._array)
        self.requires_grad_(source.requires_grad)
        self.persistent = persistent

    def __deepcopy__(self, memo):
        result = super().__deepcopy__(memo)
        result.persistent = self.persistent
        return result

    def __reduce__(self):
        return _rebuild_buffer, (Tensor._wrap(self._array), self.requires_grad, self.persistent)


def _rebuild_buffer(data, requires_grad, persistent):
    return Buffer(data, persistent=persistent).requires_grad_(requires_grad)


_ARRAY = Tensor.__dict__["_array"]  # where a tensor keeps its array, which uninitialized ones hide


class UninitializedTensor:
    """What lazy parameters and buffers have in common: a dtype but neither shape nor values until `materialize`."""

    __slots__ = ()
    becomes: type[Tensor] = Tensor

    def materialize(self, shape, device=None, dtype=None):
        """Become an ordinary parameter or buffer of that shape, its values yet to be drawn."""
        data = functions["empty"](*shape, device=device, dtype=self.dtype if dtype is None else dtype)
        self.__class__ = self.becomes
        self.data = data

    @property
    def _array(self):
        raise ValueError(
            "Attempted to use an uninitialized parameter. This error happens when you are using a `LazyModule` or "
            f"explicitly manipulating `torch.nn.parameter.{type(self).__name__}` objects. When using LazyModules Call "
            "`forward` with a dummy batch to initialize the parameters before calling torch functions"
        )

    @property
    def shape(self):
        """Not known yet: a RuntimeError."""
        raise RuntimeError(
            "Can't access the shape of an uninitialized parameter or buffer. This error usually happens in "
            "`load_state_dict` when trying to load an uninitialized parameter into an initialized one. Call `forward` "
            "to initialize the parameters before accessing their attributes."
        )

    @property
    def dtype(self):
        """The dtype it will have."""
        return _ARRAY.__get__(self).dtype

    def is_floating_point(self):
        """Whether the dtype it will have is float32 or float64."""
        return self.dtype.kind == "f"

    @property
    def data(self):
        """A tensor of no elements that knows the dtype."""
        return Tensor._wrap(_ARRAY.__get__(self))

    @data.setter
    def data(self, value):
        _ARRAY.__set__(self, value._array)

    def detach(self):
        """This tensor: there are no values to share yet."""
        return self

    def requires_grad_(self, requires_grad=True):
        """Set whether gradients will flow to it."""
        kind, self.__class__ = type(self), self.becomes
        try:
            return self.requires_grad_(requires_grad)
        finally:
            self.__class__ = kind

    def __repr__(self):
        return f"<{type(self).__name__}>"

    def __deepcopy__(self, memo):
        return type(self)(self.requires_grad, dtype=self.dtype)

    def __reduce__(self):
        return type(self), (self.requires_grad, None, self.dtype)


class UninitializedParameter(UninitializedTensor, Parameter):
    """A parameter whose shape is not known yet (`torch.nn.parameter.UninitializedParameter`).

    >>> parameter = UninitializedParameter()
    >>> parameter.materialize((2, 3))
    >>> parameter.shape
    minigrad.Size([2, 3])
    """

    __slots__ = ()
    becomes = Parameter

    def __init__(self, requires_grad=True, device=None, dtype=None):
        self.__class__ = self.becomes
        self.__init__(functions["empty"](0, device=device, dtype=dtype), requires_grad)
        self.__class__ = UninitializedParameter


class UninitializedBuffer(UninitializedTensor, Buffer):
    """A buffer whose shape is not known yet (`torch.nn.parameter.UninitializedBuffer`).

    >>> buffer = UninitializedBuffer()
    >>> buffer.materialize((2,))
    >>> buffer.shape
    minigrad.Size([2])
    """

    __slots__ = ()
    becomes = Buffer

    def __init__(self, requires_grad=False, device=None, dtype=None, persistent=True):
        self.__class__ = self.becomes
        self.__init__(functions["empty"](0, device=device, dtype=dtype), persistent=persistent)
        self.requires_grad_(requires_grad)
        self.__class__ = UninitializedBuffer


def is_lazy(param):
    """Whether a parameter or buffer still waits for its shape (`torch.nn.parameter.is_lazy`).

    >>> is_lazy(UninitializedParameter()), is_lazy(Parameter())
    (True, False)
    """
    return isinstance(param, UninitializedTensor)
