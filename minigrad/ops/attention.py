"""Attention: weighted means of values, the weights from the similarity of queries and keys."""

import math
import warnings

import numpy as np

from minigrad.autograd import Operation, Tensor
from minigrad.autograd.dtypes import TORCH_NAMES
from minigrad.kernels import kernels_for
from minigrad.kernels.device import capturing

from .creation import zeros
from .dropout import dropout
from .joining import cat
from .matrix import linear, matmul
from .padding import pad
from .registry import functional
from .softmax import SoftmaxGrad, softmax


class SafeSoftmax(Operation):
    """y = eˣ / Σ eˣ along the last axis, and 0 where every x is -∞"""

    formula = "dx = y · (dy - Σ dy · y)"

    @staticmethod
    def forward(ctx, x):
        y = kernels_for(x).softmax(x, x.ndim - 1)
        if x.size:
            suspects = np.isnan(y[..., 0])
            if capturing() or suspects.any():  # while a graph is captured the host cannot look
                y[suspects & (x == -np.inf).all(-1)] = 0
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, dy):
        (y,) = ctx.saved_tensors
        return SoftmaxGrad.apply(dy, y, y.ndim - 1)


_C_NAMES = {"Long": "long int", "Short": "short int", "Char": "signed char", "Byte": "unsigned char"}


def _name(tensor):
    name = TORCH_NAMES[tensor.dtype]
    return _C_NAMES.get(name, name.lower())


def _check_attention(query, key, value, attn_mask, is_causal):
    if min(query.ndim, key.ndim, value.ndim) < 2:
        raise RuntimeError(
            "Expected query, key, and value to all be  at least 2 dimensional, but got query.dim: "
            f"{query.ndim} key.dim: {key.ndim} and value.dim: {value.ndim} instead."
        )
    if not query.dtype == key.dtype == value.dtype:
        raise RuntimeError(
            f"Expected query, key, and value to have the same dtype, but got query.dtype: {_name(query)} key.dtype: "
            f"{_name(key)} and value.dtype: {_name(value)} instead."
        )
    if query.dtype.kind != "f":
        raise RuntimeError(
            f"expected m1 and m2 to have the same dtype, but got: float != {_name(query)}\nhint: attention needs "
            "floating-point tensors; use x.float()"
        )
    if attn_mask is None:
        return
    if is_causal:
        raise RuntimeError(
            "_scaled_dot_product_attention: Explicit attn_mask should not be set when is_causal=True\nhint: put the "
            "causal mask into attn_mask"
        )
    if attn_mask.dtype not in (np.dtype(bool), query.dtype):
        raise RuntimeError(
            "Expected attn_mask dtype to be bool or float or to match query dtype, but got attn_mask.dtype: "
            f"{_name(attn_mask)} and  query.dtype: {_name(query)} instead."
        )


def _bias(allowed, dtype):
    """A mask of what may take part, as numbers to add to the scores: 0 there, -∞ elsewhere."""
    return Tensor._wrap(np.where(allowed, dtype.type(0), dtype.type(-np.inf)))


def _repeat_heads(tensor, heads):
    """Each head of (..., H, S, E) as often as it takes to have `heads` of them."""
    own = tensor.size(-3)
    if own == 0 or heads % own:
        raise RuntimeError(
            f"Number of heads in key and value must divide the number of heads in \nhint: the query has {heads}, the "
            f"key or value {own}"
        )
    if own == heads:
        return tensor
    *batch, _, length, width = tensor.shape
    repeated = tensor.unsqueeze(-3).expand(*batch, own, heads // own, length, width)
    return repeated.reshape(*batch, heads, length, width)


@functional
def scaled_dot_product_attention(
    query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, *, scale=None, enable_gqa=False
):
    """softmax(query · keyᵀ · scale + mask) · value: (*, L, E), (*, S, E), (*, S, Ev) to (*, L, Ev)
    (`torch.nn.functional.scaled_dot_product_attention`).

    `scale` is 1 / √E by default. `attn_mask` broadcasts to (*, L, S): numbers to add, or True for what takes part; a
    query that no key may answer gives 0. `is_causal` lets query i see keys 0 to i. `dropout_p` drops weights, always.
    With `enable_gqa` fewer heads of keys and values (*, H, S, E) serve groups of the query's heads. Vaswani et al.
    2017, "Attention is all you need", https://arxiv.org/abs/1706.03762.

    >>> import minigrad
    >>> keys = minigrad.tensor([[10.0, 0.0], [0.0, 10.0]])
    >>> scaled_dot_product_attention(minigrad.tensor([[10.0, 0.0]]), keys, minigrad.tensor([[1.0], [2.0]]))
    tensor([[1.]])
    """
    _check_attention(query, key, value, attn_mask, is_causal)
    if dropout_p > 1:
        raise RuntimeError(f"dropout probability has to be between 0 and 1, but got {dropout_p}")
    width = query.size(-1)
    if enable_gqa:
        heads = query.size(-3)
        key, value = _repeat_heads(key, heads), _repeat_heads(value, heads)
    if scale is None:
        scale = 1 / math.sqrt(width) if width else 1.0
    scores = matmul(query * scale, key.mT)
    if is_causal:
        scores = scores + _bias(np.tri(*scores.shape[-2:], dtype=bool, like=scores._array), scores.dtype)
    elif attn_mask is not None:
        mask = _bias(attn_mask._array, scores.dtype) if attn_mask.dtype == bool else attn_mask
        masked = scores + mask
        if masked._array.shape != scores._array.shape:
            raise RuntimeError(
                f"output with shape {list(scores.shape)} doesn't match the broadcast shape {list(masked.shape)}\nhint: "
                f"attn_mask of shape {tuple(attn_mask.shape)} must broadcast to that of query · keyᵀ"
            )
        scores = masked
    weights = SafeSoftmax.apply(scores)
    if dropout_p > 0:
        weights = dropout(weights, dropout_p)
    return matmul(weights, value)


def _expect(condition, message):
    """PyTorch's own kind of error for arguments of multi_head_attention_forward that do not fit together."""
    if not condition:
        raise AssertionError(message)


def _check_shapes(query, key, value, key_padding_mask, attn_mask, num_heads):
    """Whether the input is a batch; errors for tensors whose dimensions do not fit that."""
    _expect(
        query.ndim in (2, 3),
        f"query should be unbatched 2D or batched 3D tensor but received {query.ndim}-D query tensor",
    )
    batched, rank = query.ndim == 3, query.ndim
    kind = "batched (3-D)" if batched else "unbatched (2-D)"
    _expect(
        key.ndim == value.ndim == rank,
        f"For {kind} `query`, expected `key` and `value` to be {rank}-D but found {key.ndim}-D and {value.ndim}-D "
        "tensors respectively",
    )
    if key_padding_mask is not None:
        _expect(
            key_padding_mask.ndim == rank - 1,
            f"For {kind} `query`, expected `key_padding_mask` to be `None` or {rank - 1}-D but found "
            f"{key_padding_mask.ndim}-D tensor instead",
        )
    if attn_mask is not None:
        _expect(
            attn_mask.ndim in (2, 3),
            f"For {kind} `query`, expected `attn_mask` to be `None`, 2-D or 3-D but found {attn_mask.ndim}-D tensor "
            "instead",
        )
        expected = (num_heads, query.shape[0], key.shape[0])
        _expect(
            batched or attn_mask.ndim == 2 or tuple(attn_mask.shape) == expected,
            f"Expected `attn_mask` shape to be {expected} but got {attn_mask.shape}",
        )
    return batched


def _added_mask(mask, name, dtype):
    """A mask as numbers to add: where a bool one is True, nothing may take part."""
    if mask is None:
        return None
    _expect(mask.dtype.kind in "bf", f"only bool and floating types of {name} are supported")
    return _bias(~mask._array, dtype) if mask.dtype == bool else mask


def _projected(query, key, value, weight, bias):
    """Query, key and value through their thirds of the packed projection; equal ones share a product."""
    width = query.size(-1)
    if query is key is value:
        return linear(query, weight, bias).split(width, -1)
    biases = (None,) * 3 if bias is None else bias.split(width)
    if key is value:
        both_bias = None if bias is None else bias[width:]
        return (
            linear(query, weight[:width], biases[0]),
            *linear(key, weight[width:], both_bias).split(width, -1),
        )
    return tuple([linear(x, w, b) for x, w, b in zip((query, key, value), weight.split(width), biases)])


def _projected_apart(tensors, weights, bias):
    """Query, key and value, each through a projection of its own to the query's width."""
    width = tensors[0].size(-1)
    biases = (None,) * 3 if bias is None else bias.chunk(3)
    names = ("query", "key", "value")
    for name, x, w in zip(names, tensors, weights):
        expected = (width, x.size(-1))
        _expect(tuple(w.shape) == expected, f"expecting {name} weights shape of {expected}, but got {w.shape}")
    for name, b in zip(names, biases):
        if b is not None:
            _expect(tuple(b.shape) == (width,), f"expecting {name} bias shape of {(width,)}, but got {b.shape}")
    return tuple([linear(x, w, b) for x, w, b in zip(tensors, weights, biases)])


def _mask_of_heads(mask, batch, heads, length, keys):
    """`attn_mask` as (1 or batch · heads, L, S)."""
    if mask.ndim == 2:
        if tuple(mask.shape) != (length, keys):
            raise RuntimeError(
                f"The shape of the 2D attn_mask is {mask.shape}, but should be {(length, keys)}.\nhint: the query has "
                f"{length} elements, the key {keys}"
            )
        return mask.unsqueeze(0)
    if tuple(mask.shape) != (batch * heads, length, keys):
        raise RuntimeError(
            f"The shape of the 3D attn_mask is {mask.shape}, but should be {(batch * heads, length, keys)}."
        )
    return mask


@functional
def multi_head_attention_forward(
    query,
    key,
    value,
    embed_dim_to_check,
    num_heads,
    in_proj_weight,
    in_proj_bias,
    bias_k,
    bias_v,
    add_zero_attn,
    dropout_p,
    out_proj_weight,
    out_proj_bias,
    training=True,
    key_padding_mask=None,
    need_weights=True,
    attn_mask=None,
    use_separate_proj_weight=False,
    q_proj_weight=None,
    k_proj_weight=None,
    v_proj_weight=None,
    static_k=None,
    static_v=None,
    average_attn_weights=True,
    is_causal=False,
):
    """Attention of `num_heads` heads with projections before and after it: `(output, weights)`
    (`torch.nn.functional.multi_head_attention_forward`).

    query (L, N, E) or (L, E), key and value (S, N, E) or (S, E). `in_proj_weight` (3E, E) holds the projections of all
    three, unless `use_separate_proj_weight`. Masks: `attn_mask` (L, S) or (N · heads, L, S), `key_padding_mask` (N, S);
    True marks what takes no part, numbers are added to the scores. `bias_k` and `bias_v` (1, 1, E) are appended to keys
    and values, then a zero with `add_zero_attn`; `static_k`, `static_v` (N · heads, S, E / heads) replace projected
    ones. The weights are (N, L, S), or (N, heads, L, S) without `average_attn_weights`, None without `need_weights`.
    Vaswani et al. 2017, https://arxiv.org/abs/1706.03762.

    >>> import minigrad
    >>> x, w, b = minigrad.ones(2, 1, 4), minigrad.cat([minigrad.eye(4)] * 3), minigrad.zeros(12)
    >>> y, weights = multi_head_attention_forward(
    ...     x, x, x, 4, 2, w, b, None, None, False, 0.0, minigrad.eye(4), minigrad.zeros(4))
    >>> y.shape, weights
    (minigrad.Size([2, 1, 4]), tensor([[[0.5000, 0.5000],
             [0.5000, 0.5000]]]))
    """
    batched = _check_shapes(query, key, value, key_padding_mask, attn_mask, num_heads)
    if not batched:
        same_key, same_value = key is query, value is key
        query = query.unsqueeze(1)
        key = query if same_key else key.unsqueeze(1)
        value = key if same_value else value.unsqueeze(1)
        key_padding_mask = None if key_padding_mask is None else key_padding_mask.unsqueeze(0)
    length, batch, width = query.shape
    source = key.shape[0]
    if key_padding_mask is not None and attn_mask is not None and key_padding_mask.dtype != attn_mask.dtype:
        warnings.warn(
            "Support for mismatched key_padding_mask and attn_mask is deprecated. Use same type for both instead.",
            stacklevel=2,
        )
    key_padding_mask = _added_mask(key_padding_mask, "key_padding_mask", query.dtype)
    if is_causal and attn_mask is None:
        raise RuntimeError(
            "Need attn_mask if specifying the is_causal hint. You may use the Transformer module method "
            "`generate_square_subsequent_mask` to create this mask."
        )
    if is_causal and key_padding_mask is None and not need_weights:
        attn_mask = None  # the attention below knows how to be causal without one
    else:
        attn_mask = _added_mask(attn_mask, "attn_mask", query.dtype)
        is_causal = False
    _expect(width == embed_dim_to_check, f"was expecting embedding dimension of {embed_dim_to_check}, but got {width}")
    head_width = width // num_heads
    _expect(head_width * num_heads == width, f"embed_dim {width} not divisible by num_heads {num_heads}")
    if use_separate_proj_weight:
        _expect(
            key.shape[:2] == value.shape[:2],
            f"key's sequence and batch dims {key.shape[:2]} do not match value's {value.shape[:2]}",
        )
        weights = {"q_proj_weight": q_proj_weight, "k_proj_weight": k_proj_weight, "v_proj_weight": v_proj_weight}
        for name, weight in weights.items():
            _expect(weight is not None, f"use_separate_proj_weight is True but {name} is None")
        q, k, v = _projected_apart((query, key, value), tuple(weights.values()), in_proj_bias)
    else:
        _expect(key.shape == value.shape, f"key shape {key.shape} does not match value shape {value.shape}")
        _expect(in_proj_weight is not None, "use_separate_proj_weight is False but in_proj_weight is None")
        q, k, v = _projected(query, key, value, in_proj_weight, in_proj_bias)
    if attn_mask is not None:
        attn_mask = _mask_of_heads(attn_mask, batch, num_heads, length, source)
    _expect(bias_k is None or bias_v is not None, "bias_k is set but bias_v is None")
    _expect(bias_v is None or bias_k is not None, "bias_v is set but bias_k is None")
    added = 0  # keys that stand for no element of the source, which no mask forbids
    if bias_k is not None:
        _expect(static_k is None, "bias cannot be added to static key.")
        _expect(static_v is None, "bias cannot be added to static value.")
        k, v = (cat([x, b.expand(1, batch, width)]) for x, b in ((k, bias_k), (v, bias_v)))
        added += 1
    rows = batch * num_heads
    q = q.reshape(length, rows, head_width).transpose(0, 1)
    k = _of_heads(k, static_k, "static_k", rows, head_width)
    v = _of_heads(v, static_v, "static_v", rows, head_width)
    if add_zero_attn:
        zero = zeros(rows, 1, head_width, dtype=k.dtype, device=k.device)
        k, v = cat([k, zero], 1), cat([v, zero], 1)
        added += 1
    source = k.shape[1]
    if attn_mask is not None and added:
        attn_mask = pad(attn_mask, (0, added))
    if key_padding_mask is not None:
        key_padding_mask = pad(key_padding_mask, (0, added)) if added else key_padding_mask
        for axis, size in enumerate((batch, source)):
            _expect(
                key_padding_mask.shape[axis] == size,
                f"Expected key_padded_mask.shape[{axis}] to be {size}, but got {key_padding_mask.shape[axis]}",
            )
        padding = key_padding_mask.reshape(batch, 1, 1, source).expand(batch, num_heads, 1, source)
        padding = padding.reshape(rows, 1, source)
        attn_mask = padding if attn_mask is None else attn_mask + padding
    dropout_p = dropout_p if training else 0.0
    if need_weights:
        scores = matmul(q * math.sqrt(1.0 / head_width), k.mT)
        weights = softmax(scores if attn_mask is None else scores + attn_mask, -1)
        weights = dropout(weights, dropout_p) if dropout_p > 0 else weights
        output = matmul(weights, v)  # (rows, L, E / heads)
        weights = weights.reshape(batch, num_heads, length, source)
        weights = weights.mean(1) if average_attn_weights else weights
    else:
        output, weights = scaled_dot_product_attention(q, k, v, attn_mask, dropout_p, is_causal), None
    output = linear(output.transpose(0, 1).reshape(length, batch, width), out_proj_weight, out_proj_bias)
    if batched:
        return output, weights
    return output.squeeze(1), (None if weights is None else weights.squeeze(0))


def _of_heads(projected, static, name, rows, head_width):
    """Keys or values as (batch · heads, S, E / heads), or `static`, which is so already."""
    if static is None:
        return projected.reshape(projected.shape[0], rows, head_width).transpose(0, 1)
    _expect(static.size(0) == rows, f"expecting {name}.size(0) of {rows}, but got {static.size(0)}")
    _expect(static.size(2) == head_width, f"expecting {name}.size(2) of {head_width}, but got {static.size(2)}")
    return static
