"""The house rules that a machine can check: floors, docstrings, formulas, twin backends, light imports."""

import ast
import functools
import importlib
import inspect
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import minigrad
from minigrad.autograd import Binary, Function, Operation
from minigrad.kernels import cpu, cuda, reference
from minigrad.ops import registry

FLOORS = {
    "kernels": 0,
    "autograd": 1,
    "ops": 2,
    "linalg": 3,
    "nn": 3,
    "optim": 3,
    "utils": 3,
    "serialization": 3,
    "accelerator": 3,
    "amp": 3,
    "backends": 3,
    "cuda": 3,
    "distributions": 3,
    "settings": 3,
    "vision": 4,
    "viz": 4,
    "testing": 4,
    "profiler": 4,
    "dropin": 4,
}
PUBLIC_API = 4  # the floor from which `import minigrad` itself is below


def _sources():
    """(dotted module name, path) of every module."""
    for package, root in (("minigrad", minigrad.__path__[0]), ("minigrad.kernels", minigrad.kernels.__path__[0])):
        for path in sorted(Path(root).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            yield ".".join((package, *(parts[:-1] if parts[-1] == "__init__" else parts))), path


SOURCES = dict(_sources())
MODULES = sorted(set(SOURCES) - {"minigrad"})


@functools.cache
def _tree(name):
    return ast.parse(SOURCES[name].read_text(encoding="utf-8"))


def _floor(name):
    """The floor of a dotted name; the package itself stands for the public API."""
    if name.startswith("minigrad.utils.tensorboard"):
        return PUBLIC_API  # bears PyTorch's name, and draws graphs; nothing below imports it
    parts = name.split(".")
    return FLOORS[parts[1]] if len(parts) > 1 and parts[1] in FLOORS else PUBLIC_API


def _imports(name):
    """The dotted names of minigrad that a module imports."""
    package = name if SOURCES[name].name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(_tree(name)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            source = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{source}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("name", MODULES)
def test_imports_climb_no_floor(name):
    for target in _imports(name):
        if target.split(".")[0] == "minigrad":
            assert _floor(target) <= _floor(name), (
                f"{name} (floor {_floor(name)}) imports {target} (floor {_floor(target)})"
            )


@pytest.mark.parametrize("name", MODULES)
def test_no_import_inside_a_function_dodges_a_floor(name):
    for function in ast.walk(_tree(name)):
        if isinstance(function, ast.FunctionDef):
            for node in ast.walk(function):
                assert not (isinstance(node, ast.ImportFrom) and node.level), f"line {node.lineno}"
                assert not (isinstance(node, ast.Import | ast.ImportFrom) and "minigrad" in ast.unparse(node)), (
                    f"line {node.lineno}"
                )


def _undocumented(module):
    """Public functions and classes of a module without a docstring, of their own or inherited; their methods too."""
    for name, member in vars(module).items():
        named = inspect.isclass(member) or inspect.isfunction(member)
        if name.startswith("_") or not named or member.__module__ != module.__name__:
            continue
        if not inspect.getdoc(member):
            yield name
        if inspect.isclass(member):
            for attribute in vars(member):
                method = getattr(member, attribute)
                described = inspect.isfunction(method) or isinstance(method, property)
                if not attribute.startswith("_") and described and not inspect.getdoc(method):
                    yield f"{name}.{attribute}"


@pytest.mark.parametrize("name", MODULES)
def test_everything_public_has_a_docstring(name):
    module = importlib.import_module(name)
    assert module.__doc__, f"{name} does not open with a paragraph on what is in it"
    assert list(_undocumented(module)) == []


@pytest.mark.parametrize("name", MODULES)
def test_no_error_is_swallowed(name):
    for node in ast.walk(_tree(name)):
        if isinstance(node, ast.ExceptHandler) and (
            node.type is None or ast.unparse(node.type) in ("Exception", "BaseException")
        ):
            raises = any(isinstance(n, ast.Raise) for n in ast.walk(node)) or "throw" in ast.unparse(node)
            assert raises, f"line {node.lineno} catches everything and goes on"


def _operations(base=Operation):
    for cls in base.__subclasses__():
        yield cls
        yield from _operations(cls)


def test_every_operation_has_a_formula_and_says_what_it_computes():
    for module in pkgutil.walk_packages(minigrad.__path__, "minigrad."):
        importlib.import_module(module.name)
    bases = Function, Binary
    operations = [cls for cls in _operations() if cls.__module__.startswith("minigrad.") and cls not in bases]
    assert len(operations) > 50
    for cls in operations:
        assert cls.__dict__.get("formula"), f"{cls.__module__}.{cls.__name__} has no formula"
        assert cls.__doc__, f"{cls.__module__}.{cls.__name__} does not say what it computes"


def test_every_public_function_and_layer_has_an_example():
    layers = {
        name: getattr(minigrad.nn, name) for name in minigrad.nn.__all__ if inspect.isclass(getattr(minigrad.nn, name))
    }
    without = [
        name
        for name, f in {**registry.functions, **registry.functionals, **registry.linalg, **layers}.items()
        if ">>>" not in (f.__doc__ or "")
    ]
    assert without == []


def test_the_backends_offer_the_same_functions_with_the_same_arguments():
    backends = cpu, cuda, reference
    assert sorted(cpu.__all__) == sorted(reference.__all__) == sorted(cuda.__all__)
    for name in cpu.__all__:
        arguments = {tuple(inspect.signature(getattr(backend, name)).parameters) for backend in backends}
        assert len(arguments) == 1, name


def test_importing_minigrad_is_light():
    heavy = "numba", "matplotlib", "torch", "hypothesis", "sklearn", "scipy"
    code = f"import sys, minigrad; print([name for name in {heavy} if name in sys.modules])"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )
