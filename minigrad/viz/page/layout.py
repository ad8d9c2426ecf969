"""Where boxes and arrows of a drawing stand, in whole pixels: by Graphviz, or by plain layers where there is none.

The sizes of boxes are fixed here from the lengths of their texts, so that Graphviz needs no fonts and equal drawings
come out equal everywhere. All drawings of a document go to Graphviz at once, and alike ones only once.
"""

import shlex
import shutil
import subprocess
from contextlib import closing

try:
    import pygraphviz
except ImportError:
    pygraphviz = None

TITLE, DETAIL, CHIP = 8.4, 6.9, 6.6  # pixels of a character
NARROWEST, EDGE, GAP = 84, 24, 14  # of a box; what its text leaves free at both sides, and between its two parts
LINE, CHIP_LINE, CHIP_GAP = 30, 22, 6
VALUES = 16  # characters: a scalar's value and gradient take the place of its shape
BELOW, BESIDE = 26, 24  # between boxes
MOST_BENDS = 600  # boxes, and layers that arrows cross; from here on Graphviz takes longer than a reader waits
LONGEST_BEND = 12  # layers; an arrow across more of them goes straight


def place(levels):
    """Give every box of `levels` its x, y, w, h, every arrow its path (a cubic Bézier curve), every level its size."""
    for level in levels:
        for box in level["boxes"]:
            _measure(box)
    texts = [_dot(level) if _bends(level) <= MOST_BENDS else None for level in levels]
    drawn = _graphviz(list(dict.fromkeys(text for text in texts if text is not None)))
    for level, text in zip(levels, texts):
        if text in drawn:
            _apply(level, drawn[text])
        else:
            _layers(level)


def _measure(box):
    chips = box.get("chips", ())
    detail = max(len(box["detail"]), VALUES) if box["detail"] == "scalar" else len(box["detail"])
    for chip in chips:
        chip["w"] = round(len(chip["text"]) * CHIP + 14)
    row = sum(chip["w"] + CHIP_GAP for chip in chips) - CHIP_GAP
    texts = len(box["title"]) * TITLE + (detail * DETAIL + GAP if detail else 0)
    box["w"] = max(NARROWEST, round(max(texts, row)) + EDGE)
    box["h"] = LINE + (CHIP_LINE if chips else 0)


def _dot(level):
    """The drawing for Graphviz: sizes and arrows only."""
    lines = [
        "digraph {",
        f"graph [ranksep={BELOW / 72:.4f} nodesep={BESIDE / 72:.4f} splines=spline];",
        'node [shape=box fixedsize=true label=""]; edge [arrowhead=none];',
    ]
    for i, box in enumerate(level["boxes"]):
        lines.append(f"{i} [width={box['w'] / 72:.4f} height={box['h'] / 72:.4f}];")
    lines += [f"{edge['tail']} -> {edge['head']};" for edge in level["edges"]]
    return "\n".join([*lines, "}"])


def _graphviz(texts):
    """{text: its layout in Graphviz' plain format}; empty where there is no Graphviz."""
    program = shutil.which("dot")
    if program is not None and texts:
        done = subprocess.run([program, "-Tplain"], input="\n".join(texts).encode(), capture_output=True, check=False)
        plain = done.stdout.decode().split("stop\n")[:-1]
        if len(plain) == len(texts):
            return dict(zip(texts, plain))
    if pygraphviz is None:
        return {}
    return {text: _draw_in_process(text) for text in texts}


def _draw_in_process(text):
    with closing(pygraphviz.AGraph(string=text)) as graph:
        return graph.draw(format="plain", prog="dot").decode()


def _apply(level, plain):
    """Read positions in inches, upwards, into pixels, downwards."""
    words = [shlex.split(line) for line in plain.replace("\\\n", "").splitlines()]
    height = float(words[0][3])
    level["width"], level["height"] = round(float(words[0][2]) * 72), round(height * 72)

    def pixels(x, y):
        return round(float(x) * 72), round((height - float(y)) * 72)

    paths = {}
    for line in words:
        if line[0] == "node":
            box = level["boxes"][int(line[1])]
            x, y = pixels(line[2], line[3])
            box["x"], box["y"] = x - box["w"] // 2, y - box["h"] // 2
        elif line[0] == "edge":
            points = line[4 : 4 + 2 * int(line[3])]
            paths[int(line[1]), int(line[2])] = [
                number for x, y in zip(points[::2], points[1::2]) for number in pixels(x, y)
            ]
    for edge in level["edges"]:
        edge["path"] = paths[edge["tail"], edge["head"]]


def _bends(level):
    """How many places Graphviz would have to find for boxes and for arrows in every layer that they cross."""
    layer, _ = _layer_of_boxes(level)
    return len(layer) + sum(layer[edge["head"]] - layer[edge["tail"]] - 1 for edge in level["edges"])


def _layer_of_boxes(level):
    """(the layer of every box, boxes in an order along the arrows)."""
    before, after = _neighbours(level)
    order = _topological(before, after)
    layer = [0] * len(order)
    for box in order:
        layer[box] = max((layer[tail] + 1 for tail in before[box]), default=0)
    for box in reversed(order):  # what is fed by nothing stands just above its first user
        if not before[box] and after[box]:
            layer[box] = min(layer[head] for head in after[box]) - 1
    return layer, order


def _neighbours(level):
    """(the tails of the arrows to every box, the heads of the arrows from it)."""
    before, after = [[] for _ in level["boxes"]], [[] for _ in level["boxes"]]
    for edge in level["edges"]:
        before[edge["head"]].append(edge["tail"])
        after[edge["tail"]].append(edge["head"])
    return before, after


def _layers(level):
    """Every box one layer below the lowest that feeds it; in a layer, boxes stand below what feeds them."""
    boxes, edges = level["boxes"], level["edges"]
    before, _ = _neighbours(level)
    layer, order = _layer_of_boxes(level)
    rows = [[] for _ in range(max(layer, default=0) + 1)]
    for box in order:
        rows[layer[box]].append(box)

    centre = [0.0] * len(boxes)
    top = 0
    for row in rows:
        wished = {box: _mean([centre[tail] for tail in before[box]]) for box in row}
        row.sort(key=lambda box: (wished[box] is None, wished[box] or 0.0, box))
        width = sum(boxes[box]["w"] + BESIDE for box in row) - BESIDE
        known = [wish for wish in wished.values() if wish is not None]
        left = (_mean(known) or 0.0) - width / 2
        for box in row:
            boxes[box]["x"], boxes[box]["y"] = round(left), top
            centre[box] = left + boxes[box]["w"] / 2
            left += boxes[box]["w"] + BESIDE
        top += max((boxes[box]["h"] for box in row), default=0) + BELOW
    shift = min((box["x"] for box in boxes), default=0)
    for box in boxes:
        box["x"] -= shift
    level["width"] = max((box["x"] + box["w"] for box in boxes), default=0)
    level["height"] = max(top - BELOW, 0)
    for edge in edges:
        edge["path"] = _curve(boxes[edge["tail"]], boxes[edge["head"]], layer[edge["head"]] - layer[edge["tail"]])


def _topological(before, after):
    """Boxes, each after all that feed it; arrows always lead forward in time, so there is no circle."""
    missing = [len(tails) for tails in before]
    ready = [box for box, count in enumerate(missing) if count == 0]
    for box in ready:  # grows while it is walked
        for head in after[box]:
            missing[head] -= 1
            if missing[head] == 0:
                ready.append(head)
    return ready


def _curve(tail, head, layers):
    """From the lower side of one box to the upper side of another; past boxes between them in a bend."""
    x0, y0 = tail["x"] + tail["w"] // 2, tail["y"] + tail["h"]
    x1, y1 = head["x"] + head["w"] // 2, head["y"]
    if 1 < layers <= LONGEST_BEND:
        aside = max(tail["x"] + tail["w"], head["x"] + head["w"]) + BESIDE
        y = (y0 + y1) // 2
        return [x0, y0, x0, y0 + BELOW, aside, y0 + BELOW, aside, y, aside, y1 - BELOW, x1, y1 - BELOW, x1, y1]
    bend = max(BELOW // 2, (y1 - y0) // 2)
    return [x0, y0, x0, y0 + bend, x1, y1 - bend, x1, y1]


def _mean(numbers):
    return sum(numbers) / len(numbers) if numbers else None
