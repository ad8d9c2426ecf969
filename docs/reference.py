"""The API reference, made from the docstrings: which names stand on which page, and how their text becomes RST."""

import importlib
import inspect
import re
import types

from minigrad.autograd import Binary, Function, Operation
from minigrad.ops import registry

# file -> (title, what stands there, module, names or None for the module's own)
PAGES = {
    "tensors": ("Tensor", "The tensor, and what goes with it.", "minigrad", ["Tensor", "Size", "Generator", "no_grad",
                "enable_grad", "inference_mode", "load", "save", "summary", "History", "profile", "warmup", "vmap"]),
    "functions": ("Functions", "Functions of `minigrad`; most are methods of `Tensor` too.", "minigrad",
                  sorted(name for name in registry.functions if not name.startswith("_"))),
    "autograd": ("autograd", "Gradients, and the contract of an operation.", "minigrad.autograd", None),
    "nn": ("nn", "Modules.", "minigrad.nn", None),
    "functional": ("nn.functional", "The functions behind the modules.", "minigrad.nn.functional", None),
    "init": ("nn.init", "How parameters start.", "minigrad.nn.init", None),
    "nn-utils": ("nn.utils", "Clipping, parametrisation, pruning.", "minigrad.nn.utils", None),
    "optim": ("optim", "Optimizers.", "minigrad.optim", None),
    "lr-scheduler": ("optim.lr_scheduler", "Schedules of learning rates.", "minigrad.optim.lr_scheduler", None),
    "data": ("utils.data", "Data sets and loaders.", "minigrad.utils.data", None),
    "datasets": ("vision.datasets", "Images to learn from.", "minigrad.vision.datasets", None),
    "models": ("vision.models", "Networks.", "minigrad.vision.models", None),
    "transforms": ("vision.transforms", "Images into tensors, and changed.", "minigrad.vision.transforms", None),
    "viz": ("viz", "Graphs and the explorer.", "minigrad.viz", None),
    "plots-api": ("viz.plots", "Plots and their numbers.", "minigrad.viz.plots", None),
    "testing": ("testing", "Proof for operations of your own.", "minigrad.testing", None),
    "linalg": ("linalg", "Linear algebra.", "minigrad.linalg", None),
    "special": ("special", "Special functions.", "minigrad.special", None),
    "func": ("func", "Transforms of functions.", "minigrad.func", None),
    "distributions": ("distributions", "Probability.", "minigrad.distributions", None),
}  # fmt: skip
BEFORE_CODE, AFTER_CODE = "'\"([{<-/:", "'\")]}>-/:.,;!?"  # what may stand beside RST's literals without a space
SECTION = re.compile(r"^(Args|Arguments|Attributes|Raises|Returns|Yields|Note|Example|Examples):$")


def write(folder):
    """Write a page for each of `PAGES`, one of the operations, and their table of contents."""
    folder.mkdir(exist_ok=True)
    described: set[type] = set()
    pages = {f"{name}.rst": _page(*page, described) for name, page in PAGES.items()}
    pages["operations.rst"] = _operations()
    names = "\n   ".join(name.removesuffix(".rst") for name in pages)
    pages["index.rst"] = f"{_title('Reference')}\n.. toctree::\n   :maxdepth: 1\n\n   {names}\n"
    for name, text in pages.items():
        if not (folder / name).exists() or (folder / name).read_text(encoding="utf-8") != text:
            (folder / name).write_text(text, encoding="utf-8")


def public(module):
    """The public names of a module: what it lists, or else the functions and classes that it defines."""
    if getattr(module, "__all__", None):
        return sorted(module.__all__, key=str.lower)
    return sorted(
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
    )


def _title(text):
    return f"{text}\n{'=' * len(text)}\n"


def _page(title, what, module, names, described):
    """One page of names; a class that stands on an earlier one is left out (`described` are those so far)."""
    parts = [_title(title), f"{_spans(what)}\n", f".. currentmodule:: {module}\n"]
    home = importlib.import_module(module)
    for name in public(home) if names is None else names:
        value = getattr(home, name)
        if inspect.isclass(value):
            if value in described:
                continue
            described.add(value)
            members = "   :members:\n" if name != "Tensor" else ""
            parts.append(f".. autoclass:: {name}\n{members}")
        elif callable(value) and inspect.getdoc(value):
            parts.append(f".. autofunction:: {name}\n")
        elif not isinstance(value, types.ModuleType):
            parts.append(f".. py:data:: {name}\n")
    return "\n".join(parts)


def operations(base=Operation):
    """Every operation that the engine knows."""
    for cls in base.__subclasses__():
        yield cls
        yield from operations(cls)


def _operations():
    """The table of operations: what each computes, and its derivative."""
    known = {
        f"{cls.__module__.removeprefix('minigrad.')}.{cls.__name__}": cls
        for cls in operations()
        if cls.__module__.startswith("minigrad.") and cls not in (Function, Binary) and not cls.__name__.startswith("_")
    }
    rows = [
        f"   * - {cls.__name__}\n     - {_spans(_line(cls.__doc__))}\n     - {_spans(_line(cls.formula))}"
        for _, cls in sorted(known.items(), key=lambda item: item[1].__name__)
    ]
    head = "   * - operation\n     - what it computes\n     - its derivative"
    about = "Every operation of the engine, with the formula that its errors, graphs and the explorer print."
    table = ".. list-table::\n   :header-rows: 1\n   :widths: 20 45 35\n"
    return "\n".join([_title("Operations"), about, "", table, head, *rows]) + "\n"


def _line(text):
    return " ".join((text or "").split())


def signature(app, what, name, obj, options, arguments, returned):
    """The arguments of a class as Python tells them, for layers' are made from their fields; others stay."""
    if what != "class" or not arguments:
        return None
    parameters = inspect.signature(obj).parameters.values()
    plain = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in parameters]
    return str(inspect.Signature(plain)), None


def as_rst(app, what, name, obj, options, lines):
    """A docstring, which is plain text with code in backticks, as RST: for autodoc-process-docstring, in place."""
    made, block, text = [], [], "\n".join(lines).strip("\n")
    for paragraph in re.split(r"\n\s*\n", text):
        block = paragraph.split("\n")
        if block[0].lstrip().startswith(">>>"):
            made += block
        elif SECTION.match(block[0].strip()) or block[0].startswith("    "):
            made += _spans(paragraph).split("\n")
        elif any(line.startswith(" ") for line in block[1:]) and not _is_list(block):
            made += ["::", "", *[f"    {line}" for line in block]]
        else:
            made += _spans(_before_examples(paragraph)).split("\n")
        made.append("")
    lines[:] = made


def _is_list(block):
    return block[0].lstrip().startswith(("* ", "- "))


def _before_examples(paragraph):
    """An example right below its sentence gets the empty line that RST wants."""
    return re.sub(r"\n(?=>>>)", "\n\n", paragraph, count=1)


def _spans(text):
    """Code in single backticks as RST's literals; everything else is literal text."""
    text, sep, example = text.partition("\n\n>>>")
    pieces = re.split(r"(`[^`]+`)", text)
    for at, piece in enumerate(pieces):
        if at % 2:
            code = " ".join(piece[1:-1].split())
            before, after = (pieces[at - 1] or " ")[-1], (pieces[at + 1] or " ")[0]
            start = "" if before.isspace() or before in BEFORE_CODE else "\\ "
            end = "" if after.isspace() or after in AFTER_CODE else "\\ "
            pieces[at] = f"{start}``{code}``{end}"
        else:
            pieces[at] = re.sub(r"([*|\\`])|(?<=\w)_(?!\w)", lambda m: f"\\{m[0]}", piece)
    return "".join(pieces) + sep + example


def within_docs(text):
    """A page's text, its links to files outside docs/ (which GitHub follows) turned into names in code."""
    return re.sub(r"\[`?([^\]`]+)`?\]\(\.\./[^)]+\)", r"`\1`", text)
