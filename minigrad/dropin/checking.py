"""Reads a script and tells, without running it, which of PyTorch's names it uses that minigrad lacks."""

import ast
from collections import namedtuple
from pathlib import Path

from .names import counterpart, lookup, near
from .standins import ROOTS


class Use(namedtuple("Use", ["path", "line", "name", "near"])):
    """A use of a name that minigrad lacks: the file, the line, the full name, and names near it."""

    __slots__ = ()

    def __str__(self):
        others = f" (near it: {', '.join(self.near)})" if self.near else ""
        return f"{self.path}:{self.line}: {self.name}{others}"


def check(script):
    """Every use of a name of PyTorch's that minigrad lacks, in `script` and the files of its folder that it imports.

    What a script does with objects (methods of a tensor, of a model) cannot be told without running it. A file that
    cannot be read or parsed is a ValueError.

    >>> import tempfile
    >>> script = Path(tempfile.mkdtemp()) / "train.py"
    >>> _ = script.write_text("import torch.nn as nn\\nnet = nn.Sequential(nn.Conv2d(1, 6, 5), nn.Relu())\\n")
    >>> [(use.line, use.name, use.near[0]) for use in check(script)]
    [(2, 'torch.nn.Relu', 'torch.nn.ReLU')]
    """
    waiting, seen, uses = [Path(script)], set(), []
    while waiting:
        path = waiting.pop(0)
        if path.resolve() in seen:
            continue
        seen.add(path.resolve())
        reader = _Reader(path)
        reader.visit(_parsed(path))
        uses += reader.uses
        waiting += reader.neighbours
    return uses


def _parsed(path):
    try:
        return ast.parse(path.read_bytes(), filename=str(path))
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from error
    except SyntaxError as error:
        raise ValueError(f"{path}:{error.lineno}: {error.msg}") from error


class _Reader(ast.NodeVisitor):
    """Follows what each name of a file stands for, function by function, and notes what minigrad lacks."""

    def __init__(self, path):
        self.path, self.uses, self.neighbours = path, [], []
        self.scopes = [{}]  # name -> PyTorch's dotted name, or None for what is something else

    def meaning(self, name):
        """The dotted name of PyTorch's that a name stands for here, or None."""
        return next((scope[name] for scope in reversed(self.scopes) if name in scope), None)

    def miss(self, node, name):
        """Note that minigrad lacks `name`."""
        use = Use(str(self.path), node.lineno, name, tuple(near(*name.rpartition(".")[::2])))
        if use not in self.uses:
            self.uses.append(use)

    # what binds names -------------------------------------------------------------------------------------------------

    def visit_Import(self, node):
        for alias in node.names:
            root = alias.name.partition(".")[0]
            if root not in ROOTS:
                self._neighbour(alias.name, 0)
                continue
            if alias.asname:
                self.scopes[-1][alias.asname] = alias.name
            else:
                self.scopes[-1][root] = root
            if counterpart(alias.name) is None:
                self.miss(node, alias.name)

    def visit_ImportFrom(self, node):
        if node.level or (node.module or "").partition(".")[0] not in ROOTS:
            self._neighbour(node.module or "", node.level)
            for alias in node.names:
                if node.level or not node.module:
                    self._neighbour(alias.name, node.level)
            return
        for alias in node.names:
            if alias.name == "*":
                module = counterpart(node.module)
                self.scopes[-1].update({name: f"{node.module}.{name}" for name in dir(module) if name[0] != "_"})
                if module is None:
                    self.miss(node, node.module)
            else:
                self.scopes[-1][alias.asname or alias.name] = self._known(node, f"{node.module}.{alias.name}")

    def _neighbour(self, module, level):
        """Read a file of the script's folder that it imports, too."""
        folder = self.path.parent
        for _ in range(level - 1):
            folder = folder.parent
        for path in (folder.joinpath(*module.split(".")).with_suffix(".py"), folder / module.replace(".", "/")):
            found = path / "__init__.py" if path.is_dir() else path
            if module and found.is_file():
                self.neighbours.append(found)

    def visit_Assign(self, node):
        self.visit(node.value)
        meaning = self._dotted(node.value)
        for target in node.targets:
            if isinstance(target, ast.Name):
                self.scopes[-1][target.id] = meaning
            else:
                self.visit(target)

    def visit_FunctionDef(self, node):
        self._outside(node)
        arguments = node.args
        named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
        self._inside(node, {argument.arg: None for argument in named if argument is not None})

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_ClassDef(self, node):
        for part in (*node.decorator_list, *node.bases, *node.keywords):
            self.visit(part)
        self._inside(node, {})

    def visit_Lambda(self, node):
        self._inside(node, {argument.arg: None for argument in node.args.args})

    def _outside(self, node):
        for part in (*node.decorator_list, *node.args.defaults, *node.args.kw_defaults):
            if part is not None:
                self.visit(part)

    def _inside(self, node, names):
        self.scopes[-1].setdefault(getattr(node, "name", ""), None)
        self.scopes.append(names)
        for part in node.body if isinstance(node.body, list) else [node.body]:
            self.visit(part)
        self.scopes.pop()

    def visit_Name(self, node):
        if isinstance(node.ctx, ast.Store):  # a loop's or a comprehension's variable
            self.scopes[-1][node.id] = None

    # what uses them ---------------------------------------------------------------------------------------------------

    def visit_Attribute(self, node):
        if self._dotted(node) is None:
            self.generic_visit(node)

    def _dotted(self, node):
        """The dotted name of PyTorch's that an expression means, as far as minigrad has it; otherwise None."""
        if isinstance(node, ast.Name):
            return self.meaning(node.id)
        if isinstance(node, ast.Attribute):
            base = self._dotted(node.value)
            return None if base is None else self._known(node, f"{base}.{node.attr}")
        return None

    def _known(self, node, name):
        """`name` if it is a module or a name in one, None otherwise; what minigrad lacks is noted."""
        module, _, last = name.rpartition(".")
        try:
            if counterpart(name) is not None:
                return name
            if counterpart(module) is None:
                return None  # an attribute of an object, or of what has been noted as missing already
            lookup(module, last)
        except AttributeError:
            self.miss(node, name)
        except ImportError:
            pass  # minigrad has it, for those who install what it needs
        return name
