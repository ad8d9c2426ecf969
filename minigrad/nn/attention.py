"""Attention of many heads: Vaswani et al. 2017, "Attention is all you need", https://arxiv.org/abs/1706.03762."""

from . import functional as F
from . import init
from .layer import new_parameter
from .linear import Linear
from .module import Module


class NonDynamicallyQuantizableLinear(Linear):
    """The output projection of `MultiheadAttention`: a Linear under PyTorch's name for it."""


class MultiheadAttention(Module):
    """`num_heads` attentions side by side, each on embed_dim / num_heads features (`torch.nn.MultiheadAttention`).

    query (L, N, embed_dim), key (S, N, kdim), value (S, N, vdim), batches first with `batch_first`, or without N.
    Returns (output like query, weights (N, L, S); None unless `need_weights`, (N, heads, L, S) unless
    `average_attn_weights`). Masks: `attn_mask` (L, S) or (N · heads, L, S), `key_padding_mask` (N, S); True marks what
    takes no part, numbers are added to the scores. `add_bias_kv` appends a learned key and value, `add_zero_attn` a
    zero one.

    >>> import minigrad
    >>> x = minigrad.ones(5, 2, 8)
    >>> output, weights = MultiheadAttention(8, 2)(x, x, x)
    >>> output.shape, weights.shape
    (minigrad.Size([5, 2, 8]), minigrad.Size([2, 5, 5]))
    """

    def __init__(
        self,
        embed_dim,
        num_heads,
        dropout=0.0,
        bias=True,
        add_bias_kv=False,
        add_zero_attn=False,
        kdim=None,
        vdim=None,
        batch_first=False,
        device=None,
        dtype=None,
    ):
        if embed_dim <= 0 or num_heads <= 0:
            raise ValueError(
                f"embed_dim and num_heads must be greater than 0, got embed_dim={embed_dim} and num_heads={num_heads} "
                "instead"
            )
        super().__init__()
        self.embed_dim, self.num_heads, self.dropout, self.batch_first = embed_dim, num_heads, dropout, batch_first
        self.kdim, self.vdim = embed_dim if kdim is None else kdim, embed_dim if vdim is None else vdim
        self._qkv_same_embed_dim = self.kdim == self.vdim == embed_dim
        self.head_dim = embed_dim // num_heads
        if self.head_dim * num_heads != embed_dim:
            raise AssertionError(
                f"embed_dim must be divisible by num_heads\nhint: {embed_dim} is no multiple of {num_heads}"
            )
        packed, place = self._qkv_same_embed_dim, {"device": device, "dtype": dtype}
        shapes = {"in_proj_weight": (3 * embed_dim, embed_dim)} if packed else {}
        widths = {"q_proj_weight": embed_dim, "k_proj_weight": self.kdim, "v_proj_weight": self.vdim}
        shapes |= {} if packed else {name: (embed_dim, width) for name, width in widths.items()}
        for name in (*widths, "in_proj_weight"):
            self.register_parameter(name, new_parameter(*shapes[name], **place) if name in shapes else None)
        self.register_parameter("in_proj_bias", new_parameter(3 * embed_dim, **place) if bias else None)
        self.out_proj = NonDynamicallyQuantizableLinear(embed_dim, embed_dim, bias, **place)
        self.bias_k = new_parameter(1, 1, embed_dim, **place) if add_bias_kv else None
        self.bias_v = new_parameter(1, 1, embed_dim, **place) if add_bias_kv else None
        self.add_zero_attn = add_zero_attn
        self._reset_parameters()

    def _reset_parameters(self):
        for name in ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight"):
            if getattr(self, name) is not None:
                init.xavier_uniform_(getattr(self, name))
        if self.in_proj_bias is not None:
            init.zeros_(self.in_proj_bias)
            init.zeros_(self.out_proj.bias)
        for bias in (self.bias_k, self.bias_v):
            if bias is not None:
                init.xavier_normal_(bias)

    def forward(
        self,
        query,
        key,
        value,
        key_padding_mask=None,
        need_weights=True,
        attn_mask=None,
        average_attn_weights=True,
        is_causal=False,
    ):
        turned = self.batch_first and query.ndim == 3
        if turned:  # equal tensors stay equal, so that they share a projection
            fresh = {id(x): x.transpose(0, 1) for x in (query, key, value)}
            query, key, value = (fresh[id(x)] for x in (query, key, value))
        output, weights = F.multi_head_attention_forward(
            query,
            key,
            value,
            self.embed_dim,
            self.num_heads,
            self.in_proj_weight,
            self.in_proj_bias,
            self.bias_k,
            self.bias_v,
            self.add_zero_attn,
            self.dropout,
            self.out_proj.weight,
            self.out_proj.bias,
            self.training,
            key_padding_mask,
            need_weights,
            attn_mask,
            not self._qkv_same_embed_dim,
            self.q_proj_weight,
            self.k_proj_weight,
            self.v_proj_weight,
            average_attn_weights=average_attn_weights,
            is_causal=is_causal,
        )
        return output.transpose(0, 1) if turned else output, weights
