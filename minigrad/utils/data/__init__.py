"""Feeding a network: data sets, the order in which their samples come, and batches of them.

`Dataset` says what a sample is (`dataset.py`), a `Sampler` in what order (`sampler.py`), `default_collate` how
samples become a batch (`collate.py`), and `DataLoader` puts the three together (`loader.py`). Names and behaviour are
`torch.utils.data`'s.
"""

from .collate import Columns, default_collate, default_convert
from .dataset import ChainDataset, ConcatDataset, Dataset, IterableDataset, Subset, TensorDataset, random_split
from .loader import DataLoader
from .sampler import BatchSampler, RandomSampler, Sampler, SequentialSampler, SubsetRandomSampler, WeightedRandomSampler
from .workers import WorkerInfo, get_worker_info

__all__ = [
    "BatchSampler",
    "ChainDataset",
    "Columns",
    "ConcatDataset",
    "DataLoader",
    "Dataset",
    "IterableDataset",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "Subset",
    "SubsetRandomSampler",
    "TensorDataset",
    "WeightedRandomSampler",
    "WorkerInfo",
    "default_collate",
    "default_convert",
    "get_worker_info",
    "random_split",
]
