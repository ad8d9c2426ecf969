"""Kernels as templates: keyword-only arguments are constants of compilation, and loops over them are unrolled.

A kernel is a plain function. For a choice of its constants `specialized` writes the source that the compiler gets:
`for i in unrolled(n)` becomes n copies of its body with i put in, a branch whose condition is known keeps one side, and
arithmetic of constants is done. `rendered` shows that source, which is what to read beside the generated machine code.
The functions that a kernel calls, marked with `@inlined`, get the same constants by their names; one may be a constant.

The simulator runs the function as it stands, with the constants as default values.
"""

import ast
import copy
import functools
import inspect
import linecache
import textwrap
from types import FunctionType

__all__ = ["Inlined", "constants_of", "inlined", "on_simulator", "rendered", "specialized"]


class Inlined:
    """A function for kernels to call, compiled into them with their constants."""

    def __init__(self, function):
        self.function = function
        functools.update_wrapper(self, function)


def inlined(function):
    """Mark a function as one that kernels call."""
    return Inlined(function)


def constants_of(function, constants):
    """Those of the constants that a function asks for by its keyword-only arguments."""
    code = function.__code__
    names = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
    return {name: constants[name] for name in names}


def _helpers(function, constants):
    """The inlined functions among the names that a function uses, and among the constants that it asks for."""
    asked = constants_of(function, constants)
    for name in (*function.__code__.co_names, *asked):
        value = asked.get(name, function.__globals__.get(name))
        if isinstance(value, Inlined):
            yield name, value.function


def on_simulator(function, constants):
    """The function with its constants, and those of what it calls, as default values."""
    helpers = {name: on_simulator(helper, constants) for name, helper in _helpers(function, constants)}
    names, asked = {**function.__globals__, **helpers}, constants_of(function, constants)
    result = FunctionType(function.__code__, names, function.__name__, function.__defaults__, function.__closure__)
    result.__kwdefaults__ = {name: helpers.get(name, value) for name, value in asked.items()}
    return result


class _Specializer(ast.NodeTransformer):
    """Puts constants in the place of names, unrolls loops, and keeps one side of branches that are decided."""

    def __init__(self, known):
        self.known = known

    def value(self, node):
        """(whether an expression is known, its value)."""
        names = [part.id for part in ast.walk(node) if isinstance(part, ast.Name)]
        if any(isinstance(part, ast.Call) for part in ast.walk(node)) or any(n not in self.known for n in names):
            return False, None
        code = compile(ast.fix_missing_locations(ast.Expression(copy.deepcopy(node))), "<constant>", "eval")
        return True, eval(code, {"__builtins__": {}}, dict(self.known))

    def body(self, statements):
        """A list of statements, specialised."""
        result = []
        for statement in statements:
            new = self.visit(statement)
            result.extend(new if isinstance(new, list) else [] if new is None else [new])
        return result

    def visit_For(self, node):
        """Copies of the body of `for i in unrolled(...)`; other loops stay."""
        if not (isinstance(node.iter, ast.Call) and getattr(node.iter.func, "id", None) == "unrolled"):
            node.iter, node.body = self.visit(node.iter), self.body(node.body)
            return node
        result = []
        for i in range(*[self.value(argument)[1] for argument in node.iter.args]):
            result += _Specializer({**self.known, node.target.id: i}).body(copy.deepcopy(node.body))
        return result

    def visit_If(self, node):
        """One side of a branch that is decided."""
        decided, value = self.value(node.test)
        if decided:
            return self.body(node.body if value else node.orelse)
        node.test, node.body, node.orelse = self.visit(node.test), self.body(node.body), self.body(node.orelse)
        return node

    def visit_While(self, node):
        """The loop with its body specialised."""
        node.test, node.body = self.visit(node.test), self.body(node.body)
        return node

    def visit_IfExp(self, node):
        """One side of a choice that is decided."""
        decided, value = self.value(node.test)
        return self.visit(node.body if value else node.orelse) if decided else self.generic_visit(node)

    def _folded(self, node):
        decided, value = self.value(node)
        if decided and isinstance(value, bool | int | float) and not isinstance(value, bool) and abs(value) < 2**62:
            return (
                ast.copy_location(ast.Constant(value), node)
                if value >= 0
                else ast.copy_location(ast.UnaryOp(ast.USub(), ast.Constant(-value)), node)
            )
        return self.generic_visit(node)

    visit_BinOp = visit_UnaryOp = _folded

    def visit_Name(self, node):
        """A number in the place of its name."""
        value = self.known.get(node.id)
        if isinstance(node.ctx, ast.Load) and isinstance(value, int) and not isinstance(value, bool):
            return ast.copy_location(ast.Constant(value), node)
        return node


def _tree(function, constants):
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    (definition,) = tree.body
    definition.decorator_list, definition.args.kwonlyargs, definition.args.kw_defaults = [], [], []
    definition.returns = None
    if ast.get_docstring(definition):
        definition.body = definition.body[1:]
    numbers = {name: n for name, n in function.__globals__.items() if type(n) in (int, bool) and name.isupper()}
    plain = {name: value for name, value in constants.items() if type(value) in (int, bool, str)}
    definition.body = _Specializer({**numbers, **plain}).body(definition.body)
    return ast.fix_missing_locations(tree)


def rendered(function, constants):
    """The source of a kernel, or of a function that kernels call, for a choice of its constants.

    >>> from minigrad.kernels.cuda.product import put
    >>> print(rendered(put.function, {"VECTOR": True, "SQUARE": 4}))
    def put(array, start, count, sums, i):
        if count > 0:
            put4(array, start, sums, i)
    >>> print(rendered(put.function, {"VECTOR": False, "SQUARE": 4}))
    def put(array, start, count, sums, i):
        if count > 0:
            array[start + 0] = sums[i + 0]
        if count > 1:
            array[start + 1] = sums[i + 1]
        if count > 2:
            array[start + 2] = sums[i + 2]
        if count > 3:
            array[start + 3] = sums[i + 3]
    """
    return ast.unparse(_tree(function, constants))


def specialized(function, constants, compile_helper):
    """The function for a choice of constants; `compile_helper` compiles the functions that it calls."""
    names = {**function.__globals__, **constants}
    for name, helper in _helpers(function, constants):
        names[name] = compile_helper(specialized(helper, constants, compile_helper))
    source = rendered(function, constants)
    file = f"<{function.__name__} {abs(hash(source)):x}>"
    linecache.cache[file] = len(source), None, source.splitlines(True), file
    exec(compile(source, file, "exec"), names)
    return names[function.__name__]
