"""The calls of modules during which operations ran, with their names in the outermost module."""

from dataclasses import dataclass


@dataclass(slots=True, eq=False)
class Call:
    """One call of a module: `path` is its name in the outermost module, `name` what that adds to its caller's."""

    module: object
    path: str
    name: str
    parent: "Call | None"
    id: int = -1


class Calls:
    """The calls by their frames, and the names of what modules hold."""

    def __init__(self):
        self._of = {}  # frame of a module's call -> Call
        self._paths = {}  # outermost module -> {module: path}
        self._parameters = {}  # parameter or buffer -> name

    def enter(self, scope):
        """The Call of an operation made in the module frame `scope`; None outside modules."""
        new = []
        while scope is not None and scope not in self._of:
            new.append(scope)
            scope = scope.parent
        call = None if scope is None else self._of[scope]
        for scope in reversed(new):
            call = self._of[scope] = self._call(scope.module, call)
        return call

    def _call(self, module, parent):
        root = parent
        while root is not None and root.parent is not None:
            root = root.parent
        root = module if root is None else root.module
        if root not in self._paths:
            self._read(root)
        kind = type(module).__name__
        path = self._paths[root].get(module)
        if path is None:  # called, but no attribute of the outermost module leads to it
            path = f"{parent.path}.{kind}" if parent.path else kind
        prefix = f"{parent.path}." if parent is not None and parent.path else ""
        return Call(module, path, path.removeprefix(prefix), parent)

    def _read(self, root):
        self._paths[root] = {module: name for name, module in root.named_modules()}
        for name, tensor in [*root.named_parameters(), *root.named_buffers()]:
            self._parameters.setdefault(tensor, name)

    def parameter_name(self, tensor):
        """The name of a parameter or buffer of a module that was called, "" for other tensors."""
        return self._parameters.get(tensor, "")
