"""How recorded tensors and operations are called in sentences."""


def named(value):
    """A recorded tensor in words."""
    if value.name:
        return f"{value.owner}.{value.name}" if value.owner else value.name
    shape = f"({', '.join(map(str, value.shape))}{',' * (len(value.shape) == 1)})"
    made = f"the result {shape} of {value.node.name()}" if value.node is not None else f"this tensor {shape}"
    return made


def capital(words):
    return words[0].upper() + words[1:] if words.startswith(("the ", "this ")) else words


def at(node):
    """Where an operation was called, for the end of a clause: the line if it is known, else the module."""
    if node.line is not None:
        code = node.line.code
        return f" at {node.line}" + (f" (`{code}`)" if code else "")
    return f" in module {node.call.path or type(node.call.module).__name__}" if node.call is not None else ""
