"""Tables of vectors that are looked up by index."""

from minigrad.autograd import no_grad

from . import functional as F
from . import init
from .layer import new_parameter
from .module import Module
from .parameter import Parameter


class _Table(Module):
    """`weight` of shape (num_embeddings, embedding_dim), drawn from a standard normal; row `padding_idx` is 0."""

    def _make(self, num_embeddings, embedding_dim, padding_idx, weight, freeze, device, dtype):
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        if padding_idx is not None:
            if not -num_embeddings <= padding_idx < max(num_embeddings, 1):
                raise AssertionError(
                    f"{self._padding_name} must be within num_embeddings\nhint: it is {padding_idx} of {num_embeddings}"
                )
            padding_idx = padding_idx + num_embeddings if padding_idx < 0 else padding_idx
        self.padding_idx = padding_idx
        if weight is None:
            self.weight = new_parameter(num_embeddings, embedding_dim, device=device, dtype=dtype)
            self.weight.requires_grad_(not freeze)
            self.reset_parameters()
        else:
            if list(weight.shape) != [num_embeddings, embedding_dim]:
                raise AssertionError("Shape of weight does not match num_embeddings and embedding_dim")
            self.weight = Parameter(weight, requires_grad=not freeze)

    def reset_parameters(self):
        """Draw the table anew."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            with no_grad():
                self.weight[self.padding_idx].fill_(0)

    def _unusual(self, *names):
        """ ", name=value" of those of the settings that are not the usual ones."""
        usual = {"padding_idx": None, "max_norm": None, "norm_type": 2, "scale_grad_by_freq": False, "sparse": False}
        return "".join(f", {name}={getattr(self, name)}" for name in names if getattr(self, name) != usual[name])

    @classmethod
    def from_pretrained(cls, embeddings, freeze=True, **settings):
        """A layer around a given table (num_embeddings, embedding_dim), not trained unless `freeze=False`."""
        if embeddings.ndim != 2:
            raise AssertionError("Embeddings parameter is expected to be 2-dimensional")
        layer = cls(*embeddings.shape, _weight=embeddings, **settings)
        layer.weight.requires_grad_(not freeze)
        return layer


class Embedding(_Table):
    """The rows of a table at integer indices: (*) to (*, embedding_dim) (`torch.nn.Embedding`).

    Row `padding_idx` starts at 0 and gets no gradient. Rows longer than `max_norm` are shortened in place when used.

    >>> import minigrad
    >>> Embedding(10, 3)(minigrad.tensor([[1, 2], [4, 9]])).shape
    minigrad.Size([2, 2, 3])
    """

    _padding_name = "Padding_idx"

    def __init__(
        self,
        num_embeddings,
        embedding_dim,
        padding_idx=None,
        max_norm=None,
        norm_type=2.0,
        scale_grad_by_freq=False,
        sparse=False,
        _weight=None,
        _freeze=False,
        device=None,
        dtype=None,
    ):
        super().__init__()
        self.max_norm, self.norm_type = max_norm, norm_type
        self.scale_grad_by_freq, self.sparse = scale_grad_by_freq, sparse
        self._make(num_embeddings, embedding_dim, padding_idx, _weight, _freeze, device, dtype)

    @classmethod
    def from_pretrained(
        cls,
        embeddings,
        freeze=True,
        padding_idx=None,
        max_norm=None,
        norm_type=2.0,
        scale_grad_by_freq=False,
        sparse=False,
    ):
        """A layer around a given table (num_embeddings, embedding_dim), not trained unless `freeze=False`."""
        return super().from_pretrained(
            embeddings,
            freeze,
            padding_idx=padding_idx,
            max_norm=max_norm,
            norm_type=norm_type,
            scale_grad_by_freq=scale_grad_by_freq,
            sparse=sparse,
        )

    def forward(self, input):
        return F.embedding(
            input, self.weight, self.padding_idx, self.max_norm, self.norm_type, self.scale_grad_by_freq, self.sparse
        )

    def extra_repr(self):
        unusual = self._unusual("padding_idx", "max_norm", "norm_type", "scale_grad_by_freq", "sparse")
        return f"{self.num_embeddings}, {self.embedding_dim}{unusual}"


class EmbeddingBag(_Table):
    """The "mean", "sum" or "max" of bags of rows of a table (`torch.nn.EmbeddingBag`).

    Bags are the rows of a 2-d input, or the parts of a 1-d input that begin at `offsets`.

    >>> import minigrad
    >>> bag = EmbeddingBag(10, 3, mode="sum")
    >>> bag(minigrad.tensor([1, 2, 4, 5, 4]), minigrad.tensor([0, 2])).shape
    minigrad.Size([2, 3])
    """

    _padding_name = "padding_idx"

    def __init__(
        self,
        num_embeddings,
        embedding_dim,
        max_norm=None,
        norm_type=2.0,
        scale_grad_by_freq=False,
        mode="mean",
        sparse=False,
        _weight=None,
        include_last_offset=False,
        padding_idx=None,
        device=None,
        dtype=None,
    ):
        super().__init__()
        self.max_norm, self.norm_type, self.mode = max_norm, norm_type, mode
        self.scale_grad_by_freq, self.sparse = scale_grad_by_freq, sparse
        self.include_last_offset = include_last_offset
        self._make(num_embeddings, embedding_dim, padding_idx, _weight, False, device, dtype)

    @classmethod
    def from_pretrained(
        cls,
        embeddings,
        freeze=True,
        max_norm=None,
        norm_type=2.0,
        scale_grad_by_freq=False,
        mode="mean",
        sparse=False,
        include_last_offset=False,
        padding_idx=None,
    ):
        """A layer around a given table (num_embeddings, embedding_dim), not trained unless `freeze=False`."""
        return super().from_pretrained(
            embeddings,
            freeze,
            max_norm=max_norm,
            norm_type=norm_type,
            scale_grad_by_freq=scale_grad_by_freq,
            mode=mode,
            sparse=sparse,
            include_last_offset=include_last_offset,
            padding_idx=padding_idx,
        )

    def forward(self, input, offsets=None, per_sample_weights=None):
        return F.embedding_bag(
            input,
            self.weight,
            offsets,
            self.max_norm,
            self.norm_type,
            self.scale_grad_by_freq,
            self.mode,
            self.sparse,
            per_sample_weights,
            self.include_last_offset,
            self.padding_idx,
        )

    def extra_repr(self):
        unusual = self._unusual("max_norm", "norm_type", "scale_grad_by_freq")
        return f"{self.num_embeddings}, {self.embedding_dim}{unusual}, mode={self.mode!r}{self._unusual('padding_idx')}"
