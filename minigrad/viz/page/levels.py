"""What the explorer draws: one drawing for each module call, so that a network of any size is read level by level.

A level holds the operations that its call ran itself and a box, to be entered, for every call inside it. What ran
inside a custom Function has a level of its own, which the Function's box opens. A stretch
that repeats (36 alike blocks, the hundred steps of a recurrent net) becomes one box with a level of its own.
Parameters are chips in the boxes that use them. Where boxes stand is decided in `layout`.
"""

import math
from dataclasses import dataclass, field

from . import layout

FEW = 24  # so many items are shown as they are
LEAST_REPEATS = 4
LONGEST_PERIOD = 64  # operations of one repetition
LONGEST_TITLE = 34
MOST_ARROWS = 4  # a tensor from outside that more boxes use is a chip in each of them


@dataclass(slots=True)
class Item:
    """What becomes a box: operations that ran in a row, in order, and what they are a part of.

    `kind` is "operation", "module" (a call), "row" (what repeats) or "repetition" (one of a row, the `place`-th);
    `parts` are the items inside a row, a repetition or a custom Function, whose own node is the last of its `nodes`.
    """

    kind: str
    nodes: list
    call: int | None = None
    parts: list = field(default_factory=list)
    place: int = 0


def levels(document):
    """The drawings of a document, outermost first: a list of dicts as docs/explorer-format.md describes them.

    Equal documents give equal drawings. Needs no Graphviz, but looks best with it.
    """
    return _Levels(document).build()


class _Levels:
    def __init__(self, document):
        self.calls, self.nodes, self.tensors = document["calls"], document["nodes"], document["tensors"]
        self.roots = {tensor for step in document["passes"] for tensor in step["roots"]}
        self.children = _by(range(len(self.calls)), lambda call: self.calls[call]["parent"])
        self.within = _by(range(len(self.nodes)), self._around)
        self.outside = set(self.within.get(None, ()))  # what ran in no custom Function
        self.operations = _by(sorted(self.outside), lambda node: self.nodes[node]["call"])
        self.content = [[] for _ in self.calls]  # every operation inside a call, in order
        for node in self.nodes:
            call = node["call"]
            while call is not None:
                self.content[call].append(node["id"])
                call = self.calls[call]["parent"]
        self.levels = []

    def build(self):
        """All levels; a box that can be entered names its level."""
        waiting = [(self._items(None), {"key": "top", "call": None, "parent": None, "title": "", "detail": ""})]
        while waiting:
            items, level = waiting.pop(0)
            level = {"id": len(self.levels), **level}
            self.levels.append(level)
            boxes, edges = self._draw(items, outermost=level["parent"] is None)
            for item, box in zip(items, boxes):
                if item.kind != "operation" or item.parts:
                    box["level"] = len(self.levels) + len(waiting)
                    waiting.append((self._inside(item), self._describe(item, box, level)))
            level["boxes"], level["edges"] = boxes, edges
        layout.place(self.levels)
        return self.levels

    def _describe(self, item, box, level):
        """The head of the level that a box opens."""
        first = item.nodes[-1 if item.kind == "operation" else 0]
        key = f"call-{item.call}" if item.kind == "module" else f"{item.kind}-{first}"
        call = item.call if item.kind == "module" else level["call"]
        return {"key": key, "call": call, "parent": level["id"], "title": box["title"], "detail": box["detail"]}

    def _inside(self, item):
        return self._items(item.call) if item.kind == "module" else item.parts

    def _around(self, node):
        """The custom Function that an operation ran in; None outside of all."""
        function = self.nodes[node].get("within")
        return function if isinstance(function, int) else None

    def _operation(self, node, call=None):
        """An operation, with what ran inside if it is a custom Function."""
        parts = [self._operation(inner) for inner in self.within.get(node, ())]
        return Item("operation", [*(inner for part in parts for inner in part.nodes), node], call, parts)

    def _items(self, call):
        """The operations and calls that stand directly in a call, in order, stretches that repeat folded."""
        items = [self._operation(node) for node in self.operations.get(call, ())]
        for child in self.children.get(call, ()):
            nodes = self.content[child]
            own = [node for node in nodes if node in self.outside]
            if len(own) == 1:  # a module that is one operation lends it its name
                items.append(self._operation(own[0], child))
            elif own:
                items.append(Item("module", nodes, child))
        items.sort(key=lambda item: item.nodes[0])
        return _fold(items, [self._signature(item) for item in items]) if len(items) > FEW else items

    def _signature(self, item):
        """What two items must share to be repetitions of one another."""
        call = None if item.call is None else (self.calls[item.call]["kind"], self.calls[item.call]["settings"])
        return call, tuple(self._kind_of(node) for node in item.nodes)

    def _kind_of(self, node):
        node = self.nodes[node]
        return node["name"], tuple(tuple(self.tensors[tensor]["shape"]) for tensor in _results(node))

    def _draw(self, items, outermost):
        """The boxes of a level, those of `items` first and in their order, and the arrows between them."""
        boxes = [self._box(item) for item in items]
        box_of = {node: place for place, item in enumerate(items) for node in item.nodes}
        arrows = {}  # (tail, head) -> tensors that go that way
        entering = {}  # tensor from outside -> the boxes that use it
        for place, item in enumerate(items):
            for tensor in (tensor for node in item.nodes for tensor in self.nodes[node]["inputs"]):
                if tensor is None or self._is_chip(tensor):
                    continue
                tail = box_of.get(self.tensors[tensor]["node"])
                if tail is None:
                    entering.setdefault(tensor, {})[place] = None
                elif tail != place and tensor not in (carried := arrows.setdefault((tail, place), [])):
                    carried.append(tensor)
        for tensor, heads in entering.items():
            if len(heads) > MOST_ARROWS:
                for place in heads:
                    boxes[place].setdefault("chips", []).append(self._chip(tensor, None))
            else:
                arrows.update({(len(boxes), place): [tensor] for place in heads})
                boxes.append(self._tensor_box(tensor, "in"))
        for place, item in enumerate(items):
            for tensor in (tensor for node in item.nodes for tensor in _results(self.nodes[node])):
                leaves = not outermost and any(user not in box_of for user, _ in self.tensors[tensor]["users"])
                if leaves or tensor in self.roots:
                    arrows[place, len(boxes)] = [tensor]
                    boxes.append(self._tensor_box(tensor, "result" if tensor in self.roots else "out"))
        edges = [{"tail": tail, "head": head, "tensors": carried} for (tail, head), carried in arrows.items()]
        return boxes, edges

    def _is_chip(self, tensor):
        return self.tensors[tensor]["role"] == "parameter"

    def _box(self, item):
        if item.kind == "operation":
            return self._operation_box(self.nodes[item.nodes[-1]], item.call)
        parameters = sorted({tensor for node in item.nodes for tensor in self._parameters(self.nodes[node])})
        box = {"kind": item.kind, "call": item.call, "nodes": [item.nodes[0], item.nodes[-1]], "count": len(item.nodes)}
        if item.kind == "module":
            call = self.calls[item.call]
            box["title"] = _title(call["name"], call["kind"])
        elif item.kind == "row":
            box["title"] = self._row_title(item)
        else:
            box["title"] = f"{item.place} · {len(item.nodes)} operations"
        numbers = sum(math.prod(self.tensors[tensor]["shape"]) for tensor in parameters)
        texts = [self._shapes(self.nodes[item.nodes[-1]]), f"{_count(numbers)} parameters" if parameters else ""]
        box["detail"] = " · ".join(text for text in texts if text)
        box["parameters"] = parameters
        return box

    def _row_title(self, row):
        first, times = row.parts[0], len(row.parts)
        if first.kind == "repetition":
            return f"{len(first.nodes)} operations ×{times}"
        if first.call is None:
            return f"{self.nodes[first.nodes[-1]]['name']} ×{times}"
        one, last = self.calls[first.call], self.calls[row.parts[-1].call]
        names = f"{one['name']}…{last['name']}" if one["name"] != last["name"] else one["name"]
        return _title(names, f"{one['kind']} ×{times}")

    def _operation_box(self, node, call):
        box = {"kind": "operation", "node": node["id"]}
        if call is not None:
            box["call"] = call
        box["title"] = node["name"] if call is None else _title(self.calls[call]["name"], node["name"])
        box["detail"] = self._shapes(node)
        box["chips"] = [self._chip(tensor, node["call"]) for tensor in self._parameters(node)]
        return box

    def _chip(self, tensor, call):
        """A tensor that is shown inside the box that uses it, named as seen from the call around that."""
        name = self._name(tensor)
        if call is not None:
            root = call
            while self.calls[root]["parent"] is not None:
                root = self.calls[root]["parent"]
            for prefix in (self.calls[root]["name"], self.calls[call]["path"]):
                name = name.removeprefix(f"{prefix}.")
        return {"tensor": tensor, "text": _shortened(name, 22)}

    def _shapes(self, node):
        """What leaves an operation."""
        outputs = [self.tensors[tensor] for tensor in _results(node)]
        used = [output for output in outputs if output["users"]] or outputs
        return _shape(used[0]) if len(used) == 1 else f"{len(used)} results" if used else ""

    def _parameters(self, node):
        """The parameters among the arguments of an operation, each once."""
        return [tensor for tensor in dict.fromkeys(node["inputs"]) if tensor is not None and self._is_chip(tensor)]

    def _tensor_box(self, tensor, side):
        about = self.tensors[tensor]
        return {
            "kind": "tensor" if about["node"] is None or side == "result" else "port",
            "tensor": tensor,
            "side": side,
            "title": _shortened(about["name"] or ("result" if side == "result" else self._name(tensor)), LONGEST_TITLE),
            "detail": _shape(about),
        }

    def _name(self, tensor):
        """A tensor's name, else what it is, else what made it: the module or the operation."""
        about = self.tensors[tensor]
        if about["name"] or about["node"] is None:
            return about["name"] or about["role"]
        node = self.nodes[about["node"]]
        path = None if node["call"] is None else self.calls[node["call"]]["path"]
        return path or node["name"]


def _results(node):
    """What an operation made, as far as it is tensors."""
    return [tensor for tensor in node["outputs"] if tensor is not None]


def _fold(items, signatures):
    """`items` with every long stretch that repeats made into one item of the kind "row"."""
    folded, start = [], 0
    runs = _runs(signatures)
    while start < len(items):
        period, repeats = _best(runs, start)
        if period is None:
            folded.append(items[start])
            start += 1
            continue
        end = start + period * repeats
        parts = items[start:end]
        if period > 1:
            parts = [_together("repetition", items[at : at + period]) for at in range(start, end, period)]
            for place, part in enumerate(parts, 1):
                part.place = place
        folded.append(_together("row", parts))
        start = end
    return folded


def _together(kind, parts):
    return Item(kind, [node for part in parts for node in part.nodes], parts=parts)


def _runs(signatures):
    """runs[p - 1][i]: how many items from i on are like the one p further on."""
    count = len(signatures)
    runs = []
    for period in range(1, min(LONGEST_PERIOD, count // LEAST_REPEATS) + 1):
        run = [0] * (count + 1)
        for i in range(count - period - 1, -1, -1):
            run[i] = run[i + 1] + 1 if signatures[i] == signatures[i + period] else 0
        runs.append(run)
    return runs


def _best(runs, start):
    """(period, repeats) of the longest stretch that repeats from `start` on, or (None, 0)."""
    best, longest = (None, 0), 0
    for period, run in enumerate(runs, 1):
        repeats = run[start] // period + 1
        if repeats >= LEAST_REPEATS and period * repeats >= 8 and period * repeats > longest:
            best, longest = (period, repeats), period * repeats
    return best


def _by(ids, parent):
    """{parent: [ids]}."""
    groups = {}
    for i in ids:
        groups.setdefault(parent(i), []).append(i)
    return groups


def _title(name, kind):
    return _shortened(f"{name}: {kind}" if name and name != kind else kind, LONGEST_TITLE)


def _shortened(text, length):
    return text if len(text) <= length else f"{text[: length // 2]}…{text[-(length - length // 2 - 1) :]}"


def _shape(tensor):
    sizes = "×".join(map(str, tensor["shape"])) or "scalar"
    return sizes if tensor["dtype"] == "float32" else f"{sizes} {tensor['dtype']}"


def _count(number):
    """A count in three digits: 512, 9.46k, 11.2M."""
    for unit in ("", "k", "M"):
        if number < 1000:
            return f"{number:.3g}{unit}"
        number /= 1000
    return f"{number:.3g}G"
