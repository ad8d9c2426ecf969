"""The calls of modules during which operations ran, with their names in the outermost module."""

from dataclasses import dataclass

from minigrad.nn import Parameter

from .lines import calling_frame, variable_name


def path_and_name(paths, module, parent):
    """(path of a called module in the outermost one, what that adds to the path of `parent`, the call around it).

    `paths` are those of all modules that attributes of the outermost one lead to; None as `parent` is outside.
    """
    around = "" if parent is None else parent.path
    path = paths.get(module)
    if path is None:
        path = f"{around}.{type(module).__name__}".lstrip(".")
    return path, path.removeprefix(f"{around}.") if around else path


@dataclass(slots=True, eq=False)
class Call:
    """One call of a module: `path` is its name in the outermost module, `name` what that adds to its caller's
    (of an outermost one, the user's name of it)."""

    module: object
    path: str
    name: str
    parent: "Call | None"
    id: int = -1


class Calls:
    """The calls by their frames, and the names of what modules hold."""

    def __init__(self):
        self._of = {}  # frame of a module's call -> Call
        self._roots = {}  # outermost module -> the user's name of it
        self._paths = {}  # outermost module -> {module: path}
        self._parameters = {}  # parameter or buffer -> name

    def enter(self, scope, frame):
        """The Call of an operation made in the module frame `scope`, None outside modules, by the user's `frame`."""
        new = []
        while scope is not None and scope not in self._of:
            new.append(scope)
            scope = scope.parent
        call = None if scope is None else self._of[scope]
        for scope in reversed(new):
            call = self._of[scope] = self._call(scope.module, call, frame)
        return call

    def find(self, alike):
        """The Call of the module's frame that has the module and the parent of `alike`, the latest; None for None."""
        if alike is None:
            return None
        known = (scope for scope in reversed(self._of) if scope.module is alike.module and scope.parent is alike.parent)
        return self.enter(next(known, alike), None)

    def _call(self, module, parent, frame):
        root = parent
        while root is not None and root.parent is not None:
            root = root.parent
        root = module if root is None else root.module
        if root not in self._paths:
            self._read(root, frame)
        path, name = path_and_name(self._paths[root], module, parent)
        return Call(module, path, self._roots[root] if parent is None else name, parent)

    def _read(self, root, frame):
        self._roots[root] = variable_name(calling_frame(frame), root)
        self._paths[root] = {module: name for name, module in root.named_modules()}
        for name, tensor in [*root.named_parameters(), *root.named_buffers()]:
            self._parameters.setdefault(tensor, (self._roots[root], name))

    def parameters(self):
        """The trainable parameters of the modules that were called and of all inside them."""
        return [tensor for tensor in self._parameters if isinstance(tensor, Parameter) and tensor.requires_grad]

    def parameter_name(self, tensor):
        """(the user's name of the outermost module, name in it) of a parameter or buffer of a module that was called.

        Two empty strings for other tensors.
        """
        return self._parameters.get(tensor, ("", ""))
