"""The Transformer: layers of attention and of two linear maps, stacks of them, encoder and decoder.

Vaswani et al. 2017, "Attention is all you need", https://arxiv.org/abs/1706.03762.
"""

import copy

import numpy as np

from minigrad.autograd import is_grad_enabled
from minigrad.ops import functions

from . import functional as F
from . import init
from .activation import GELU, ReLU
from .attention import MultiheadAttention
from .containers import ModuleList
from .dropout import Dropout
from .linear import Linear
from .module import Module
from .normalization import LayerNorm

ACTIVATIONS = {"relu": F.relu, "gelu": F.gelu}


class _TransformerLayer(Module):
    """Attentions and a network of two layers, each added to its input and normalised: after it, or before."""

    attentions: tuple[str, ...]

    def __init__(
        self,
        d_model,
        nhead,
        dim_feedforward=2048,
        dropout=0.1,
        activation=F.relu,
        layer_norm_eps=1e-5,
        batch_first=False,
        norm_first=False,
        bias=True,
        device=None,
        dtype=None,
    ):
        super().__init__()
        place = {"bias": bias, "device": device, "dtype": dtype}
        for name in self.attentions:
            setattr(self, name, MultiheadAttention(d_model, nhead, dropout, batch_first=batch_first, **place))
        self.linear1 = Linear(d_model, dim_feedforward, **place)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, **place)
        self.norm_first = norm_first
        blocks = range(1, len(self.attentions) + 2)
        for index in blocks:
            setattr(self, f"norm{index}", LayerNorm(d_model, layer_norm_eps, **place))
        for index in blocks:
            setattr(self, f"dropout{index}", Dropout(dropout))
        if isinstance(activation, str):
            if activation not in ACTIVATIONS:
                raise RuntimeError(f"activation should be relu/gelu, not {activation}")
            activation = ACTIVATIONS[activation]
        self.activation = activation

    def _attend(self, name, x, source, mask, padding, is_causal):
        attention = getattr(self, name)
        return attention(x, source, source, padding, need_weights=False, attn_mask=mask, is_causal=is_causal)[0]

    def _feed_forward(self, x):
        return self.linear2(self.dropout(self.activation(self.linear1(x))))

    def _run(self, x, blocks):
        """x through the blocks, functions of x, each with its norm and dropout."""
        for index, block in enumerate(blocks, 1):
            norm, dropout = getattr(self, f"norm{index}"), getattr(self, f"dropout{index}")
            x = x + dropout(block(norm(x))) if self.norm_first else norm(x + dropout(block(x)))
        return x


class TransformerEncoderLayer(_TransformerLayer):
    """Self-attention and a network of two layers (`torch.nn.TransformerEncoderLayer`): (S, N, d_model) to the same.

    With `norm_first` the norms stand before the blocks. `activation` is "relu", "gelu" or a function.

    >>> import minigrad
    >>> TransformerEncoderLayer(8, 2, 16)(minigrad.ones(5, 3, 8)).shape
    minigrad.Size([5, 3, 8])
    """

    attentions = ("self_attn",)

    def forward(self, src, src_mask=None, src_key_padding_mask=None, is_causal=False):
        def attend(x):
            return self._attend("self_attn", x, x, src_mask, src_key_padding_mask, is_causal)

        return self._run(src, (attend, self._feed_forward))


class TransformerDecoderLayer(_TransformerLayer):
    """Self-attention, attention to the encoder's output and a network of two layers.

    tgt (T, N, d_model) and memory (S, N, d_model) to (T, N, d_model). Source: `torch.nn.TransformerDecoderLayer`.

    >>> import minigrad
    >>> TransformerDecoderLayer(8, 2, 16)(minigrad.ones(4, 3, 8), minigrad.ones(5, 3, 8)).shape
    minigrad.Size([4, 3, 8])
    """

    attentions = ("self_attn", "multihead_attn")

    def forward(
        self,
        tgt,
        memory,
        tgt_mask=None,
        memory_mask=None,
        tgt_key_padding_mask=None,
        memory_key_padding_mask=None,
        tgt_is_causal=False,
        memory_is_causal=False,
    ):
        def attend(x):
            return self._attend("self_attn", x, x, tgt_mask, tgt_key_padding_mask, tgt_is_causal)

        def attend_to_memory(x):
            return self._attend("multihead_attn", x, memory, memory_mask, memory_key_padding_mask, memory_is_causal)

        return self._run(tgt, (attend, attend_to_memory, self._feed_forward))


class _Stack(Module):
    """`num_layers` copies of a layer one after another, and maybe a norm at the end."""

    def __init__(self, layer, num_layers, norm=None):
        super().__init__()
        self.layers = ModuleList([copy.deepcopy(layer) for _ in range(num_layers)])
        self.num_layers = num_layers
        self.norm = norm

    def _is_causal(self, mask, is_causal, x):
        """Whether a mask hides exactly the future, unless that has been said."""
        if is_causal is not None or mask is None:
            return is_causal is True
        length = x.shape[0 if x.ndim == 2 or not self.layers[0].self_attn.batch_first else 1]
        causal = generate_square_subsequent_mask(length, dtype=mask.dtype if mask.is_floating_point() else None)
        if mask.dtype == bool:
            causal = causal != 0
        return mask.shape == causal.shape and bool((mask == causal).all())


class TransformerEncoder(_Stack):
    """`num_layers` copies of an encoder layer, and `norm` at the end (`torch.nn.TransformerEncoder`).

    In evaluation without gradients, `enable_nested_tensor` lets what stands at padded places be 0, as in PyTorch.

    >>> import minigrad
    >>> encoder = TransformerEncoder(TransformerEncoderLayer(8, 2, 16), num_layers=2)
    >>> encoder(minigrad.ones(5, 3, 8)).shape
    minigrad.Size([5, 3, 8])
    """

    def __init__(self, encoder_layer, num_layers, norm=None, enable_nested_tensor=True, mask_check=True):
        super().__init__(encoder_layer, num_layers, norm)
        self.enable_nested_tensor, self.mask_check = enable_nested_tensor, mask_check

    def forward(self, src, mask=None, src_key_padding_mask=None, is_causal=None):
        is_causal, output = self._is_causal(mask, is_causal, src), src
        for layer in self.layers:
            output = layer(output, src_mask=mask, is_causal=is_causal, src_key_padding_mask=src_key_padding_mask)
        if src_key_padding_mask is not None and mask is None and self._leaves_padding_out(src, src_key_padding_mask):
            hidden = src_key_padding_mask if src_key_padding_mask.dtype == bool else src_key_padding_mask != 0
            output = output.masked_fill(hidden.unsqueeze(-1), 0.0)
        return output if self.norm is None else self.norm(output)

    def _leaves_padding_out(self, src, padding):
        """Whether PyTorch would compute on sequences of different lengths, and fill up with zeros afterwards."""
        layer = self.layers[0]
        if not self.enable_nested_tensor or not isinstance(layer, TransformerEncoderLayer):
            return False
        attention, hidden = layer.self_attn, np.asarray(padding.numpy(force=True), bool)
        activation = layer.activation
        return (
            not layer.training
            and src.ndim == 3
            and not layer.norm_first
            and attention.batch_first
            and attention.in_proj_bias is not None
            and attention.num_heads % 2 == 0
            and (activation in (F.relu, F.gelu) or isinstance(activation, ReLU | GELU))
            and layer.norm1.eps == layer.norm2.eps
            and bool((hidden[:, 1:] >= hidden[:, :-1]).all())  # padding stands at the end
            and not (is_grad_enabled() and any(x.requires_grad for x in (src, *layer.parameters())))
        )


class TransformerDecoder(_Stack):
    """`num_layers` copies of a decoder layer, and `norm` at the end (`torch.nn.TransformerDecoder`).

    >>> import minigrad
    >>> decoder = TransformerDecoder(TransformerDecoderLayer(8, 2, 16), num_layers=2)
    >>> decoder(minigrad.ones(4, 3, 8), minigrad.ones(5, 3, 8)).shape
    minigrad.Size([4, 3, 8])
    """

    def __init__(self, decoder_layer, num_layers, norm=None):
        super().__init__(decoder_layer, num_layers, norm)

    def forward(
        self,
        tgt,
        memory,
        tgt_mask=None,
        memory_mask=None,
        tgt_key_padding_mask=None,
        memory_key_padding_mask=None,
        tgt_is_causal=None,
        memory_is_causal=False,
    ):
        masks = {
            "tgt_mask": tgt_mask,
            "memory_mask": memory_mask,
            "tgt_key_padding_mask": tgt_key_padding_mask,
            "memory_key_padding_mask": memory_key_padding_mask,
            "tgt_is_causal": self._is_causal(tgt_mask, tgt_is_causal, tgt),
            "memory_is_causal": memory_is_causal,
        }
        for layer in self.layers:
            tgt = layer(tgt, memory, **masks)
        return tgt if self.norm is None else self.norm(tgt)


class Transformer(Module):
    """Encoder and decoder (`torch.nn.Transformer`): src (S, N, d_model), tgt (T, N, d_model) to (T, N, d_model).

    With `batch_first` (N, S, d_model) and (N, T, d_model).

    >>> import minigrad
    >>> model = Transformer(8, 2, num_encoder_layers=1, num_decoder_layers=1, dim_feedforward=16)
    >>> model(minigrad.ones(5, 3, 8), minigrad.ones(4, 3, 8)).shape
    minigrad.Size([4, 3, 8])
    """

    def __init__(
        self,
        d_model=512,
        nhead=8,
        num_encoder_layers=6,
        num_decoder_layers=6,
        dim_feedforward=2048,
        dropout=0.1,
        activation=F.relu,
        custom_encoder=None,
        custom_decoder=None,
        layer_norm_eps=1e-5,
        batch_first=False,
        norm_first=False,
        bias=True,
        device=None,
        dtype=None,
    ):
        super().__init__()
        settings = dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias, device, dtype
        for name, custom, layer, stack, count in (
            ("encoder", custom_encoder, TransformerEncoderLayer, TransformerEncoder, num_encoder_layers),
            ("decoder", custom_decoder, TransformerDecoderLayer, TransformerDecoder, num_decoder_layers),
        ):
            if custom is None:
                norm = LayerNorm(d_model, layer_norm_eps, bias=bias, device=device, dtype=dtype)
                custom = stack(layer(d_model, nhead, *settings), count, norm)
            setattr(self, name, custom)
        self._reset_parameters()
        self.d_model, self.nhead, self.batch_first = d_model, nhead, batch_first

    def _reset_parameters(self):
        for parameter in self.parameters():
            if parameter.ndim > 1:
                init.xavier_uniform_(parameter)

    def forward(
        self,
        src,
        tgt,
        src_mask=None,
        tgt_mask=None,
        memory_mask=None,
        src_key_padding_mask=None,
        tgt_key_padding_mask=None,
        memory_key_padding_mask=None,
        src_is_causal=None,
        tgt_is_causal=None,
        memory_is_causal=False,
    ):
        batch_dim = 0 if self.batch_first else 1
        if src.ndim == 3 and src.shape[batch_dim] != tgt.shape[batch_dim]:
            raise RuntimeError("the batch number of src and tgt must be equal")
        if src.shape[-1] != self.d_model or tgt.shape[-1] != self.d_model:
            raise RuntimeError("the feature number of src and tgt must be equal to d_model")
        memory = self.encoder(src, src_mask, src_key_padding_mask, src_is_causal)
        return self.decoder(
            tgt,
            memory,
            tgt_mask,
            memory_mask,
            tgt_key_padding_mask,
            memory_key_padding_mask,
            tgt_is_causal,
            memory_is_causal,
        )

    @staticmethod
    def generate_square_subsequent_mask(sz, device=None, dtype=None):
        """The (sz, sz) mask that hides the future: -inf above the diagonal, 0 elsewhere."""
        return generate_square_subsequent_mask(sz, device, dtype)


def generate_square_subsequent_mask(sz, device=None, dtype=None):
    """The (sz, sz) mask that hides the future: -inf above the diagonal, 0 elsewhere.

    >>> generate_square_subsequent_mask(2)
    tensor([[0., -inf],
            [0., 0.]])
    """
    return functions["full"]((sz, sz), float("-inf"), dtype=dtype, device=device).triu(1)
