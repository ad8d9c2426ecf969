"""The readable kernels: literal loops in plain Python, the definition that every fast kernel is tested against."""

from .choice import choose, select
from .conv import channel_sum, conv_forward, conv_input_grad, conv_weight_grad
from .ctc import ctc, ctc_grad
from .cumulative import running_total
from .elementwise import elementwise, elementwise_broadcast, elementwise_in_place
from .grid_sample import grid_sample, grid_sample_grad, grid_sample_grid_grad
from .layout import concatenate, contiguous, copy_into, duplicate
from .loss import nll, nll_grad
from .matmul import matmul
from .norm import batch_norm, batch_norm_grad, batch_norm_stats
from .optim import adagrad_update, adam_update, rmsprop_update, sgd_update
from .pool import (
    adaptive_avg_pool,
    adaptive_avg_pool_grad,
    adaptive_max_pool,
    avg_pool,
    avg_pool_grad,
    max_pool,
    max_pool_gather,
    max_pool_grad,
    median_pool,
)
from .random import dropout, random_words
from .recurrence import linear_recurrence
from .recurrent import gru_step, gru_step_grad, lstm_step, lstm_step_grad
from .reduction import extreme, moments, square_total, total
from .resample import resample
from .row_norm import row_norm, row_norm_grad
from .scatter import gather, gather_rows, scatter, scatter_add_rows
from .selection import kth_smallest
from .softmax import log_softmax, log_softmax_grad, softmax, softmax_grad
from .topk import top_k
from .unfold import fold, unfold

__all__ = [
    "adagrad_update",
    "adam_update",
    "adaptive_avg_pool",
    "adaptive_avg_pool_grad",
    "adaptive_max_pool",
    "avg_pool",
    "avg_pool_grad",
    "batch_norm",
    "batch_norm_grad",
    "batch_norm_stats",
    "channel_sum",
    "choose",
    "concatenate",
    "contiguous",
    "conv_forward",
    "conv_input_grad",
    "conv_weight_grad",
    "copy_into",
    "ctc",
    "ctc_grad",
    "dropout",
    "duplicate",
    "elementwise",
    "elementwise_broadcast",
    "elementwise_in_place",
    "extreme",
    "fold",
    "gather",
    "gather_rows",
    "grid_sample",
    "grid_sample_grad",
    "grid_sample_grid_grad",
    "gru_step",
    "gru_step_grad",
    "kth_smallest",
    "linear_recurrence",
    "log_softmax",
    "log_softmax_grad",
    "lstm_step",
    "lstm_step_grad",
    "matmul",
    "max_pool",
    "max_pool_gather",
    "max_pool_grad",
    "median_pool",
    "moments",
    "nll",
    "nll_grad",
    "random_words",
    "resample",
    "rmsprop_update",
    "row_norm",
    "row_norm_grad",
    "running_total",
    "scatter",
    "scatter_add_rows",
    "select",
    "sgd_update",
    "softmax",
    "softmax_grad",
    "square_total",
    "top_k",
    "total",
    "unfold",
]
