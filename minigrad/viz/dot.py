"""How a drawing looks: boxes, chips, arrows and clusters as text in Graphviz' DOT language.

Colours are Okabe and Ito's, which colour-blind readers tell apart: orange for parameters, blue for results, green for
inputs, vermilion for what failed, greys for the rest. Names come from users and are shown literally, whatever they
contain.
"""

import html
import math
import re
import textwrap

import graphviz

FONT = "Helvetica,Arial,sans-serif"
INK, FAINT, LINE = "#1F2933", "#616E7C", "#9AA5B1"
OPERATION, MODULE = "#F5F7FA", "#E4E7EB"
PARAMETER, PARAMETER_LINE = "#FDEFD2", "#E69F00"
RESULT, RESULT_LINE = "#D3E8F6", "#0072B2"
INPUT, INPUT_LINE = "#D5F0E6", "#009E73"
FAILED, FAILED_LINE = "#F9DDD2", "#D55E00"
LONGEST = 60  # characters of a name; the tooltip holds all of it
WIDEST, MOST_LINES = 48, 4  # of a module's settings
MOST_SIZES = 4  # in a row of modules whose sizes differ
CHIPS_A_ROW = 3
MANY_BOXES = 800  # from here on the layout is the quick one


def to_dot(drawing, values=False):
    """The DOT text of a `Drawing`; `values` says whether data and gradients were extracted and are to be written."""
    dot = graphviz.Digraph("minigrad")
    dot.attr(
        "graph",
        fontname=FONT,
        ranksep="0.28",
        nodesep="0.3",
        bgcolor="white",
        pad="0.15",
        tooltip=" ",
        label=_legend(drawing),
        labelloc="b",
    )
    if len(drawing.boxes) > MANY_BOXES:  # without these, Graphviz polishes positions in more than quadratic time
        dot.attr("graph", nslimit="0", nslimit1="0", splines="polyline")
    dot.attr(
        "node",
        fontname=FONT,
        shape="box",
        style="rounded,filled",
        color=LINE,
        fillcolor=OPERATION,
        margin="0.09,0.05",
        height="0.2",
        width="0.4",
    )
    dot.attr("edge", fontname=FONT, fontsize="8", fontcolor=FAINT, color=LINE, arrowsize="0.6")
    paths = {group.id: group.path for group in drawing.clusters}
    boxes, clusters = {}, {}
    for box in drawing.boxes:
        boxes.setdefault(box.parent, []).append(box)
    for group in drawing.clusters:
        clusters.setdefault(group.parent, []).append(group)

    def fill(level, parent):
        for box in boxes.get(parent, ()):
            _box(level, box, paths.get(parent, "") if box.group is None else box.group.path, values)
        for group in clusters.get(parent, ()):
            with level.subgraph(name=f"cluster_{group.id}") as inner:
                title = f"{group.name}: {_call(group)}" if group.name else _call(group)
                inner.attr(
                    label=f"<{_font(title, FAINT, 9)}>",
                    labeljust="l",
                    labelloc="t",
                    style="rounded,dashed",
                    color=LINE,
                    margin="9",
                    tooltip=_tooltip(group.path or group.kind),
                )
                fill(inner, group.id)

    fill(dot, None)
    for arrow in drawing.arrows:
        dot.edge(arrow.tail.key, arrow.head.key, label=f" {_shape(arrow.port)}", tooltip=_tooltip(_shape(arrow.port)))
    return dot.source


def _legend(drawing):
    """What the small signs mean, as far as they occur."""
    nodes = [node for box in drawing.boxes for node in [*box.members, *(chip.node for chip in box.chips)]]
    signs = ["↑ order of the backward pass"] if any(node.order is not None for node in nodes) else []
    if any(_awaits(node) for node in nodes):
        signs.append("∅ gradient not computed yet")
    if any(not node.recorded for node in nodes):
        signs.append("dashed boxes: no gradient passes")
    signs.append("float32 where no dtype is written")
    return f"<{_font('     ', FAINT, 8).join(_font(sign, FAINT, 8) for sign in signs)}>"


def _box(dot, box, path, values):
    """One box in the module call `path` and, as its tooltip, what the box has no room for: the formula, whole names."""
    if box.node is None:
        rows, tip, look = _module_rows(box, path, values), box.group.path or box.group.kind, {"fillcolor": MODULE}
    elif box.node.kind == "operation":
        rows, tip, look = _operation_rows(box, path, values), box.node.error or box.node.formula, {}
    else:
        rows, tip, look = _tensor_rows(box.node, path, values), box.node.label, _look_of(box.node)
    if any(node.error for node in box.members):
        look = {"fillcolor": FAILED, "color": FAILED_LINE, "penwidth": "1.4"}
    elif box.members and not any(node.recorded for node in box.members):
        look |= {"style": "rounded,filled,dashed"}
    tip = " · ".join([tip, *(chip.node.label for chip in box.chips if chip.node.label)])
    label = f'<<TABLE BORDER="0" CELLSPACING="0" CELLPADDING="1">{"".join(rows)}</TABLE>>'
    dot.node(box.key, label, tooltip=_tooltip(tip), **look)


def _look_of(node):
    if node.kind == "result":
        return {"fillcolor": RESULT, "color": RESULT_LINE, "penwidth": "1.4"}
    if node.parameter:
        return {"fillcolor": PARAMETER, "color": PARAMETER_LINE}
    return {"fillcolor": INPUT, "color": INPUT_LINE}


def _operation_rows(box, path, values):
    node, group = box.node, box.group
    title = _font(f"{group.name}: ", FAINT) if group is not None and group.name else ""
    title += _font(f"{node.label} = {node.name}" if node.label else node.name, bold=True)
    yield _head(title, node.saved_bytes, [node])
    if node.error:
        yield _row(_lines(node.error.splitlines(), FAILED_LINE))
    if group is not None and group.kind != node.name:
        yield _row(_text(_call(group)))
    elif group is not None and group.settings:
        yield _row(_text(group.settings))
    if values and node.data is not None:
        yield _row(_font(_data_and_grad(node), size=10))
    yield from _chip_rows([_chip(chip, path, values) for chip in box.chips])


def _module_rows(box, path, values):
    group = box.group
    row = [box, *box.folded]
    last = row[-1].group
    name = group.name if last.name == group.name else f"{group.name} … {last.name}"
    title = _font(f"{name}: ", FAINT) if name else ""
    title += _font(f"{group.kind} ×{len(row)}" if box.folded else group.kind, bold=True)
    yield _head(title, sum(node.saved_bytes for node in box.members), box.members)
    for node in box.members:
        if node.error:
            yield _row(_lines(f"{node.name}: {node.error}".splitlines(), FAILED_LINE))
    sizes = [_shape(other.ports[0]) for other in row if other.ports]
    if len(set(sizes)) > 1:
        yield _row(_font(_range(sizes), FAINT, 9))
    elif group.settings:
        yield _row(_text(group.settings))
    if not box.folded and len(box.chips) <= CHIPS_A_ROW:
        yield from _chip_rows([_chip(chip, path, values) for chip in box.chips])
    elif box.chips:
        yield from _chip_rows([_chip_of_many([chip.node for chip in box.chips])])


def _tensor_rows(node, path, values):
    """A leaf or a result."""
    pending = _font(" ∅", FAINT, 10) if _awaits(node) and not values else ""
    yield _row(_font(_name(node, path), bold=True) + pending)
    if values:
        yield _row(_font(_data_and_grad(node), size=10))


def _awaits(node):
    """Whether a leaf's gradient has not been computed yet."""
    return node.kind == "leaf" and node.recorded and not node.has_grad


def _name(node, path):
    """A tensor's name, as far as the module call around it does not tell it."""
    name = node.label.removeprefix(f"{path}.") if path else node.label
    return name or ("parameter" if node.parameter else "input")


def _chip(chip, path, values):
    """A parameter in the box that uses it."""
    node = chip.node
    name = _name(node, path)
    times = f" ×{max(chip.uses, chip.shared)}" if chip.uses > 1 or chip.shared > 1 else ""
    text = _font(name + times, size=9) + _font(f"  {_shape(node.ports[0])}", FAINT, 9)
    if values:
        return text + "<BR/>" + _font(_data_and_grad(node), size=9)
    return text + _font(" ∅", FAINT, 9) if _awaits(node) else text


def _chip_of_many(nodes):
    """The parameters of a whole module: how many, and how many numbers they hold."""
    pending = sum(map(_awaits, nodes))
    empty = "" if not pending else " ∅" if pending == len(nodes) else f" ∅ in {pending}"
    numbers = sum(math.prod(node.ports[0].shape) for node in nodes)
    return _font(f"{len(nodes)} parameters", size=9) + _font(f"  {_count(numbers).strip()}{empty}", FAINT, 9)


def _chip_rows(texts):
    pill = (
        '<TABLE BORDER="1" CELLBORDER="0" CELLSPACING="0" CELLPADDING="2" STYLE="ROUNDED" '
        f'COLOR="{PARAMETER_LINE}" BGCOLOR="{PARAMETER}"><TR><TD>'
    )
    pills = [f"<TD>{pill}{text}</TD></TR></TABLE></TD>" for text in texts]
    for start in range(0, len(pills), CHIPS_A_ROW):
        cells = "".join(pills[start : start + CHIPS_A_ROW])
        yield _row(f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="1" CELLPADDING="1"><TR>{cells}</TR></TABLE>')


def _head(title, saved_bytes, nodes):
    """The first row: what, and small at the right what is saved and when backward comes by."""
    saved = f"saved {_count(saved_bytes)}B   " if saved_bytes else ""
    steps = [node.order for node in nodes if node.order is not None]
    order = "" if not steps else f"↑{min(steps)}" if len(steps) == 1 else f"↑{min(steps)}–{max(steps)}"
    return f'<TR><TD ALIGN="LEFT">{title}</TD><TD ALIGN="RIGHT">{_font("   " + saved + order, FAINT, 8)}</TD></TR>'


def _row(content):
    return f'<TR><TD ALIGN="LEFT" COLSPAN="2">{content}</TD></TR>'


def _call(group):
    """A module's class and settings, as in its repr."""
    return f"{group.kind}({group.settings})" if group.settings else group.kind


def _data_and_grad(node):
    if node.kind == "result":
        return node.data
    return f"{node.data} | {'∅' if node.grad is None else node.grad}" if node.recorded else node.data


def _shape(port):
    sizes = "×".join(map(str, port.shape)) if len(port.shape) > 1 else str(port.shape) if port.shape else "scalar"
    return sizes if port.dtype == "float32" else f"{sizes} {port.dtype}"


def _range(sizes):
    """What leaves the modules of a row, one after the other."""
    return " → ".join(sizes if len(sizes) <= MOST_SIZES else [*sizes[: MOST_SIZES - 2], "…", sizes[-1]])


def _count(number):
    """A count in three digits: 512, 9.46 k, 11.2 M; a unit such as B may follow."""
    for unit in ("", "k", "M", "G"):
        if number < 1000 or unit == "G":
            return f"{number:.3g} {unit}" if unit else f"{number} "
        number /= 1000


def _font(text, color=INK, size=11, bold=False):
    """Literal text in a style, as Graphviz' HTML."""
    text = _escape(_short(_visible(text)))
    inner = f"<B>{text}</B>" if bold else text
    return f'<FONT COLOR="{color}" POINT-SIZE="{size}">{inner}</FONT>' if text else ""


def _text(text):
    """Settings, which are broken before `name=` where they are long."""
    return _lines([re.sub(r" (?!\w+=)", "\N{NO-BREAK SPACE}", _visible(text))])


def _lines(paragraphs, color=FAINT):
    """Literal text that may be long, in lines; what is beyond `MOST_LINES` is left out."""
    lines = [line for paragraph in paragraphs for line in textwrap.wrap(paragraph, WIDEST)]
    if len(lines) > MOST_LINES:
        lines[MOST_LINES - 1 :] = ["…"]
    end = '<BR ALIGN="LEFT"/>' if len(lines) > 1 else ""
    return "".join(_font(line.replace("\N{NO-BREAK SPACE}", " "), color, 9) + end for line in lines)


def _visible(text):
    """`text` with everything that has no glyph of its own (line ends, controls, directions) written as an escape."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _short(text):
    return text if len(text) <= LONGEST else f"{text[: LONGEST // 2]}…{text[-LONGEST // 2 + 1 :]}"


def _escape(text):
    """Literal text inside Graphviz' HTML, where a backslash before some letters would stand for the node's name."""
    return html.escape(text).replace("\\", "\\\\")


def _tooltip(text):
    """Literal text for a tooltip, with a look-alike of the backslash, which Graphviz interprets there, even twice."""
    return html.escape(_visible(text)).replace("\\", "∖") or " "
