"""`minigrad run --check`: what a script would miss, told without running it."""

import pytest

from minigrad.dropin import check


@pytest.fixture
def missing(tmp_path):
    """A function from a program's text to (line, name) of all that minigrad lacks."""

    def of(text):
        script = tmp_path / "script.py"
        script.write_text(text)
        return [(use.line, use.name) for use in check(script)]

    return of


def test_a_program_that_runs_misses_nothing(missing):
    assert (
        missing("import torch\nfrom torch import nn as layers\nx = torch.ones(2).no_such_method\nlayers.Linear(1, 2)")
        == []
    )


@pytest.mark.parametrize(
    "text, names",
    [
        ("import torch\ntorch.conv9d(1)", [(2, "torch.conv9d")]),
        ("import torch.nn as nn\nclass A(nn.Modul): pass", [(2, "torch.nn.Modul")]),
        ("import torch.nn\ntorch.nn.functional.rel", [(2, "torch.nn.functional.rel")]),
        ("from torch.nn import Linear, Lineer", [(1, "torch.nn.Lineer")]),
        ("from torch.nn import functional as F\ndef f(x):\n    return F.rellu(x)", [(3, "torch.nn.functional.rellu")]),
        ("import torch\nnn = torch.nn\nnn.Foo", [(3, "torch.nn.Foo")]),
        ("import torch\ndef f(torch):\n    return torch.foo", []),
        ("import torch\nfor torch in range(3):\n    torch.foo", []),
        ("import torch\n@torch.jit_script\ndef f(x=torch.foo): return lambda: torch.bar",
         [(2, "torch.jit_script"), (3, "torch.foo"), (3, "torch.bar")]),
        ("import torch.fx\ntorch.fx.Graph()", [(1, "torch.fx"), (2, "torch.fx")]),
        ("import torch.distributed as dist", [(1, "torch.distributed")]),
        ("import numpy as np\nnp.nothing", []),
        ("import torch\nprint(torch.__version__, torch.Tensor.add)", []),
    ],
)  # fmt: skip
def test_each_missing_name_is_told_once_a_line(missing, text, names):
    assert missing(text) == names


def test_files_beside_the_script_are_read_too(tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "__init__.py").write_text("from .net import Net")
    (tmp_path / "models" / "net.py").write_text("import torch\ntorch.nn.Nothing\nimport train")
    (tmp_path / "train.py").write_text("from models import Net\nimport helpers, os")
    (tmp_path / "helpers.py").write_text("from torch import nowhere")
    assert sorted((use.path.rpartition("/")[2], use.line) for use in check(tmp_path / "train.py")) == [
        ("helpers.py", 1),
        ("net.py", 2),
    ]


@pytest.mark.parametrize("content", [b"def (", b"\xff\xfe", None])
def test_a_file_that_cannot_be_read_is_a_clear_error(tmp_path, content):
    if content is not None:
        (tmp_path / "a.py").write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.py"):
        check(tmp_path / "a.py")


def test_what_a_namespace_has_is_known(tmp_path):
    path = tmp_path / "script.py"
    path.write_text("import torch\ntorch.backends.mps.is_available()\ntorch.backends.mps.is_there()\n")
    assert [use.name for use in check(path)] == ["torch.backends.mps.is_there"]
