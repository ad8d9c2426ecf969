"""`minigrad.summary`: torchinfo's layout, counts of parameters, multiply-adds and memory."""

import pytest

import minigrad as mg
from minigrad import nn


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv, self.bn, self.act = (
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
        )

    def forward(self, x):
        return self.act(self.bn(self.conv(x)) + x)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3)
        self.body = nn.Sequential(Block(8), nn.Sequential(Block(8), Block(8)))
        self.shared, self.head = nn.Linear(8, 8), nn.Linear(8, 10)
        self.scale = nn.Parameter(mg.ones(3))
        self.unused = nn.Linear(3, 3)

    def forward(self, x):
        x = self.body(self.stem(x)).mean((2, 3))
        return self.head(self.shared(self.shared(x)))


# The table that torchinfo 1.8.0 prints for the same network in PyTorch.
EXPECTED = """\
==========================================================================================
Layer (type:depth-idx)                   Output Shape              Param #
==========================================================================================
Net                                      [2, 10]                   15
├─Conv2d: 1-1                            [2, 8, 8, 8]              224
├─Sequential: 1-2                        [2, 8, 8, 8]              --
│    └─Block: 2-1                        [2, 8, 8, 8]              --
│    │    └─Conv2d: 3-1                  [2, 8, 8, 8]              576
│    │    └─BatchNorm2d: 3-2             [2, 8, 8, 8]              16
│    │    └─ReLU: 3-3                    [2, 8, 8, 8]              --
│    └─Sequential: 2-2                   [2, 8, 8, 8]              --
│    │    └─Block: 3-4                   [2, 8, 8, 8]              592
│    │    └─Block: 3-5                   [2, 8, 8, 8]              592
├─Linear: 1-3                            [2, 8]                    72
├─Linear: 1-4                            [2, 8]                    (recursive)
├─Linear: 1-5                            [2, 10]                   90
==========================================================================================
Total params: 2,177
Trainable params: 1,961
Non-trainable params: 216
Total mult-adds (M): 0.25
==========================================================================================
Input size (MB): 0.00
Forward/backward pass size (MB): 0.06
Params size (MB): 0.01
Estimated Total Size (MB): 0.07
==========================================================================================
"""


def network():
    net = Net()
    net.stem.weight.requires_grad_(False)
    return net


def test_the_table_is_torchinfos(capsys):
    net = network()
    table = mg.summary(net, (2, 3, 10, 10))
    assert capsys.readouterr().out == EXPECTED
    assert (table.total_params, table.trainable_params) == (2177, 1961)
    assert net.training and all(not module._forward_hooks for module in net.modules())


def test_columns_and_rows():
    columns = ("input_size", "output_size", "num_params", "params_percent", "kernel_size", "mult_adds", "trainable")
    text = repr(
        mg.summary(
            network(), (2, 3, 10, 10), col_names=columns, row_settings=("var_names", "depth"), verbose=0, depth=1
        )
    )
    stem = next(line for line in text.splitlines() if "stem" in line)
    assert stem.split("  ")[0] == "├─Conv2d (stem): 1-1"
    assert "[2, 3, 10, 10]" in stem and "[3, 3]" in stem and "28,672" in stem and "10.29%" in stem and "Partial" in stem
    assert "Block" not in text and "1,776" in text


def test_inputs_of_several_kinds():
    net = nn.Bilinear(3, 4, 5) if hasattr(nn, "Bilinear") else None
    if net is not None:
        assert mg.summary(net, [(2, 3), (2, 4)], verbose=0).summary_list[0].output_size == [2, 5]
    embedding = nn.Embedding(10, 3)
    assert mg.summary(embedding, (2, 5), dtypes=[mg.int64], verbose=0).summary_list[0].output_size == [2, 5, 3]
    assert mg.summary(nn.Linear(4, 2), (4,), batch_dim=0, verbose=0).summary_list[0].input_size == [1, 4]
    assert mg.summary(nn.Linear(4, 2), input_data=mg.ones(7, 4), verbose=0).total_input == 7 * 4 * 4
    assert mg.summary(nn.Linear(4, 2), input_data={"input": mg.ones(7, 4)}, verbose=0).total_mult_adds == 70


def test_misuse():
    with pytest.raises(ValueError, match="give input_size"):
        mg.summary(nn.Linear(1, 1))
    with pytest.raises(ValueError, match="no column 'size'"):
        mg.summary(nn.Linear(1, 1), (1, 1), col_names=("size",))
    net = nn.Sequential(nn.Linear(3, 2), nn.Linear(3, 2)).train()
    with pytest.raises(RuntimeError) as caught:
        mg.summary(net, (1, 3), verbose=0)
    assert "in module Sequential.1 (Linear)" in "".join(caught.value.__notes__)
    assert net.training and not net[0]._forward_hooks
