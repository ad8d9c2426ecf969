"""Data sets, samplers and the loader against torch.utils.data; determinism; the batched fetch equals the one by one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigrad as mg
from minigrad.utils import data
from minigrad.vision.datasets.base import ImagesInMemory
from minigrad.vision.transforms import (
    CenterCrop,
    Compose,
    Grayscale,
    Normalize,
    Pad,
    PILToTensor,
    RandomCrop,
    Resize,
    ToTensor,
)

try:
    import torch.utils.data as oracle
except ImportError:
    oracle = None
needs_torch = pytest.mark.skipif(oracle is None, reason="torch is not installed")


class Squares(data.Dataset):
    def __init__(self, length=10):
        self.length = length

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        return index**2


class OneByOne(data.Dataset):
    """Another data set without its batched fetch."""

    def __init__(self, dataset):
        self.dataset = dataset

    def __len__(self):
        return len(self.dataset)

    def __getitem__(self, index):
        return self.dataset[index]


class Numbers(data.IterableDataset):
    def __init__(self, length, known=True):
        self.length = length
        if not known:
            self.__class__ = type("Unsized", (data.IterableDataset,), {"__iter__": Numbers.__iter__})

    def __iter__(self):
        return iter(range(self.length))

    def __len__(self):
        return self.length


def tensors(count=10):
    x = mg.tensor(np.arange(3.0 * count, dtype=np.float32).reshape(count, 3))
    return x, mg.tensor(np.arange(count))


def order(loader):
    return [int(i) for batch in loader for i in batch.tolist()]


def as_lists(batches):
    return [[field.tolist() for field in batch] for batch in batches]


# samplers and batches -----------------------------------------------------------------------------------------------


@needs_torch
@given(length=st.integers(0, 30), batch_size=st.integers(1, 12), drop_last=st.booleans())
def test_batches_and_lengths(length, batch_size, drop_last):
    ours = data.DataLoader(range(length), batch_size, drop_last=drop_last)
    theirs = oracle.DataLoader(range(length), batch_size, drop_last=drop_last)
    assert len(ours) == len(theirs)
    assert [batch.tolist() for batch in ours] == [batch.tolist() for batch in theirs]
    stream = data.DataLoader(Numbers(length), batch_size, drop_last=drop_last)
    assert len(stream) == len(theirs)
    assert [batch.tolist() for batch in stream] == [batch.tolist() for batch in theirs]


@given(length=st.integers(1, 20), samples=st.integers(1, 60))
def test_random_sampler(length, samples):
    drawn = list(data.RandomSampler(range(length), num_samples=samples))
    assert len(drawn) == samples
    for start in range(0, samples, length):  # without replacement: whole permutations one after the other
        part = drawn[start : start + length]
        assert len(set(part)) == len(part) and set(part) <= set(range(length))
    drawn = list(data.RandomSampler(range(length), replacement=True, num_samples=samples))
    assert len(drawn) == samples and set(drawn) <= set(range(length))


def test_subset_random_sampler():
    sampler = data.SubsetRandomSampler([3, 1, 4], generator=mg.Generator().manual_seed(1))
    assert sorted(sampler) == [1, 3, 4] and len(sampler) == 3


def test_any_iterable_is_a_sampler():
    assert order(data.DataLoader(Squares(), batch_size=2, sampler=[3, 1, 2])) == [9, 1, 4]
    batches = [[1, 2], [3], []]
    loader = data.DataLoader(Squares(), batch_sampler=batches[:2])
    assert [batch.tolist() for batch in loader] == [[1, 4], [9]] and len(loader) == 2
    assert loader.batch_size is None
    assert len(data.DataLoader(Squares(), batch_sampler=[])) == 0


# order --------------------------------------------------------------------------------------------------------------


def test_shuffle_follows_the_generator():
    def epochs(seed):
        loader = data.DataLoader(range(100), 7, shuffle=True, generator=mg.Generator().manual_seed(seed))
        return [order(loader) for _ in range(3)]

    first = epochs(0)
    assert first == epochs(0) != epochs(1)
    assert all(sorted(epoch) == list(range(100)) for epoch in first)
    assert len({tuple(epoch) for epoch in first}) == 3


def test_shuffle_follows_manual_seed():
    loader = data.DataLoader(range(100), 7, shuffle=True)
    mg.manual_seed(3)
    first = [order(loader), order(loader)]
    mg.manual_seed(3)
    assert first == [order(loader), order(loader)]
    assert first[0] != first[1]


def test_two_epochs_at_once():
    loader = data.DataLoader(range(10), 2)
    pairs = [(a.tolist(), b.tolist()) for a, b in zip(loader, loader, strict=True)]
    assert pairs == [([i, i + 1],) * 2 for i in range(0, 10, 2)]


# options ------------------------------------------------------------------------------------------------------------

INVALID = [
    {"num_workers": -1},
    {"timeout": -1},
    {"persistent_workers": True},
    {"multiprocessing_context": "spawn"},
    {"batch_size": 0},
    {"batch_size": -3},
    {"batch_size": 2.0},
    {"batch_size": True},
    {"drop_last": 1},
    {"shuffle": True, "sampler": [0]},
    {"batch_sampler": [[0]], "batch_size": 2},
    {"batch_sampler": [[0]], "shuffle": True},
    {"batch_sampler": [[0]], "sampler": [0]},
    {"batch_sampler": [[0]], "drop_last": True},
    {"batch_size": None, "drop_last": True},
]


@needs_torch
@pytest.mark.parametrize("options", INVALID, ids=str)
def test_invalid_options(options):
    with pytest.raises(ValueError) as theirs:
        oracle.DataLoader(range(3), **options)
    with pytest.raises(ValueError) as ours:
        data.DataLoader(range(3), **options)
    assert str(ours.value).splitlines()[0] == str(theirs.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shuffle": True}, "expected unspecified shuffle option, but got shuffle=True"),
        ({"sampler": [0]}, r"expected unspecified sampler option, but got sampler=\[0\]"),
        ({"batch_sampler": [[0]]}, "expected unspecified batch_sampler option"),
    ],
)
def test_streams_have_no_order(options, message):
    with pytest.raises(ValueError, match=message):
        data.DataLoader(Numbers(3), **options)
    data.DataLoader(Numbers(3), shuffle=False)


def test_empty_dataset():
    assert list(data.DataLoader(Squares(0))) == []
    with pytest.raises(ValueError, match="num_samples should be a positive integer value, but got num_samples=0"):
        data.DataLoader(Squares(0), shuffle=True)
    with pytest.raises(TypeError, match="replacement should be a boolean"):
        data.RandomSampler(range(3), replacement=1)


def test_attributes_are_fixed():
    loader = data.DataLoader(Squares(), batch_size=4, drop_last=True)
    assert (loader.batch_size, loader.drop_last, loader.num_workers) == (4, True, 0)
    for name in ("batch_size", "batch_sampler", "sampler", "drop_last", "dataset"):
        with pytest.raises(ValueError, match=f"{name} attribute should not be set after DataLoader is initialized"):
            setattr(loader, name, None)


def test_without_batches():
    dataset = [np.ones(2, np.float32), "text", 3]
    array, text, number = data.DataLoader(dataset, batch_size=None)
    assert isinstance(array, mg.Tensor) and array.tolist() == [1, 1]
    assert (text, number) == ("text", 3)
    assert list(data.DataLoader(Numbers(3), batch_size=None)) == [0, 1, 2]
    assert len(data.DataLoader(Numbers(3), batch_size=None)) == 3


def test_stream_of_unknown_length():
    loader = data.DataLoader(Numbers(5, known=False), batch_size=2)
    assert order(loader) == [0, 1, 2, 3, 4]
    with pytest.raises(TypeError):
        len(loader)


# data sets ----------------------------------------------------------------------------------------------------------


def test_tensor_dataset():
    x, y = tensors()
    dataset = data.TensorDataset(x, y)
    assert len(dataset) == 10
    assert [field.tolist() for field in dataset[-1]] == [[27, 28, 29], 9]
    with pytest.raises(AssertionError, match="Size mismatch between tensors"):
        data.TensorDataset(x, y[:4])


def test_concat_and_chain():
    both = Squares(3) + Squares(4)
    assert [both[i] for i in range(-7, 7)] == [0, 1, 4, 0, 1, 4, 9] * 2
    assert len(both) == 7
    with pytest.raises(ValueError, match="absolute value of index should not exceed dataset length"):
        both[-8]
    with pytest.raises(IndexError):
        both[7]
    with pytest.raises(AssertionError, match="should not be an empty iterable"):
        data.ConcatDataset([])
    with pytest.raises(AssertionError, match="does not support IterableDataset"):
        data.ConcatDataset([Numbers(3)])
    chain = Numbers(2) + Numbers(3)
    assert list(chain) == list(chain) == [0, 1, 0, 1, 2] and len(chain) == 5
    with pytest.raises(AssertionError, match="only supports IterableDataset"):
        data.ChainDataset([Squares()])


@needs_torch
@pytest.mark.parametrize("lengths", [[10], [7, 3], [0, 10], [0.5, 0.5], [0.33, 0.33, 0.34], [0.05, 0.95], [0.15, 0.85]])
@pytest.mark.filterwarnings("ignore:Length of split")
def test_random_split(lengths):
    parts = data.random_split(Squares(), lengths, generator=mg.Generator().manual_seed(0))
    again = data.random_split(Squares(), lengths, generator=mg.Generator().manual_seed(0))
    assert [len(part) for part in parts] == [len(part) for part in oracle.random_split(range(10), lengths)]
    assert [part.indices for part in parts] == [part.indices for part in again]
    assert sorted(i for part in parts for i in part.indices) == list(range(10))
    assert sorted(sample for part in parts for sample in part) == [i**2 for i in range(10)]


@needs_torch
@pytest.mark.parametrize("lengths", [[5, 6], [0.5, 0.6], [1.5, -0.5], [0.3]])
def test_random_split_refuses(lengths):
    with pytest.raises(ValueError) as theirs:
        oracle.random_split(range(10), lengths)
    with pytest.raises(ValueError) as ours:
        data.random_split(range(10), lengths)
    assert str(ours.value).splitlines()[0] == str(theirs.value)


def test_random_split_warns_of_empty_parts():
    with pytest.warns(UserWarning, match="Length of split at index 1 is 0"):
        data.random_split(range(1), [0.9, 0.1])


def test_abstract_classes():
    for call in (lambda: data.Dataset()[0], lambda: iter(data.IterableDataset()), lambda: iter(data.Sampler())):
        with pytest.raises(NotImplementedError, match="should implement"):
            call()


# the batched fetch --------------------------------------------------------------------------------------------------


class Images(ImagesInMemory):
    def __init__(self, shape, transform):
        super().__init__(transform=transform, target_transform=lambda label: label + 100)
        self.data = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
        self.targets = np.arange(len(self.data))


TRANSFORMS = {
    "to tensor": ToTensor(),
    "pictures": Compose([Pad(1, padding_mode="reflect"), Resize(9), CenterCrop((8, 10)), Grayscale(), PILToTensor()]),
    "lenet": Compose([ToTensor(), Pad(2), Normalize((0.1307,), (0.3081,))]),
    "resize": Compose([Resize((9, 11)), ToTensor(), Resize(8), Normalize([0.5], [2.0])]),
    "array": lambda image: np.asarray(image, np.float32),
}
DATASETS = {
    "tensors": lambda: data.TensorDataset(*tensors()),
    "one tensor": lambda: data.TensorDataset(tensors()[0]),
    "subset": lambda: data.Subset(data.TensorDataset(*tensors(20)), [19, 3, 3, 7, 0, 1, -1]),
    "subset of subset": lambda: data.Subset(data.Subset(data.TensorDataset(*tensors()), [9, 3, 7, 0]), [2, 1]),
    "subset of squares": lambda: data.Subset(Squares(), [3, 1]),
    **{f"grey, {name}": lambda t=t: Images((10, 7, 5), t) for name, t in TRANSFORMS.items()},
    **{f"colour, {name}": lambda t=t: Images((10, 7, 5, 3), t) for name, t in TRANSFORMS.items()},
}


@pytest.mark.parametrize("name", DATASETS)
def test_batched_fetch_equals_one_by_one(name):
    dataset = DATASETS[name]()
    for options in ({"batch_size": 4}, {"batch_size": 3, "drop_last": True}, {"batch_size": 4, "shuffle": True}):
        mg.manual_seed(0)
        batches = list(data.DataLoader(dataset, **options))
        mg.manual_seed(0)
        singles = list(data.DataLoader(OneByOne(dataset), **options))
        assert len(batches) == len(singles)
        for batch, single in zip(batches, singles, strict=True):
            pairs = zip(batch, single, strict=True) if isinstance(batch, list) else [(batch, single)]
            for ours, expected in pairs:
                assert ours.dtype == expected.dtype
                np.testing.assert_array_equal(ours.numpy(), expected.numpy())  # bit for bit


@pytest.mark.parametrize("name", ["tensors", "subset", "grey, lenet", "colour, resize"])
def test_batched_fetch_asks_for_no_single_item(name, monkeypatch):
    dataset = DATASETS[name]()
    monkeypatch.setattr(type(dataset), "__getitem__", lambda self, index: pytest.fail("fetched one by one"))
    assert len(list(data.DataLoader(dataset, batch_size=4))) == -(-len(dataset) // 4)


def test_own_getitem_switches_the_inherited_batched_fetch_off():
    class Indexed(data.TensorDataset):
        def __getitem__(self, index):
            return *super().__getitem__(index), index

    class IndexedToo(Indexed):
        pass

    for kind in (Indexed, IndexedToo):
        assert [len(batch) for batch in data.DataLoader(kind(*tensors()), batch_size=5)] == [3, 3]
        subset = data.Subset(kind(*tensors()), [4, 2])
        assert next(iter(data.DataLoader(subset, batch_size=2)))[2].tolist() == [4, 2]


def test_getitems_of_any_object():
    class Remote:
        def __len__(self):
            return 4

        def __getitems__(self, indices):
            return [index * 10 for index in indices]

    assert order(data.DataLoader(Remote(), batch_size=3)) == [0, 10, 20, 30]


def test_collate_fn_gets_a_list_of_samples():
    seen = []
    x, y = tensors(4)
    loader = data.DataLoader(data.TensorDataset(x, y), batch_size=2, collate_fn=lambda samples: seen.append(samples))
    list(loader)
    assert all(type(samples) is list and type(samples[0]) is tuple for samples in seen)
    assert [[label.item() for _, label in samples] for samples in seen] == [[0, 1], [2, 3]]


def test_a_batch_is_no_view_of_the_dataset():
    x, y = tensors(4)
    for images, _ in data.DataLoader(data.TensorDataset(x, y), batch_size=4):
        images[...] = -1
    assert x.tolist()[0] == [0, 1, 2]


def test_gradients_flow_through_a_batch():
    x = mg.tensor([[1.0], [2.0], [3.0]], requires_grad=True)
    (batch,) = next(iter(data.DataLoader(data.TensorDataset(x), sampler=[2, 0, 2], batch_size=3)))
    (batch * mg.tensor([[1.0], [10.0], [100.0]])).sum().backward()
    assert x.grad.tolist() == [[10], [0], [101]]


def test_random_transforms_follow_the_seed():
    dataset = Images((10, 7, 5), Compose([RandomCrop(4), ToTensor()]))
    loader = data.DataLoader(dataset, batch_size=5, shuffle=True)
    mg.manual_seed(1)
    first = as_lists(loader)
    mg.manual_seed(1)
    assert first == as_lists(loader) != as_lists(loader)
