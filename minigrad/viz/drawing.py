"""What is drawn as what: a `Graph` becomes boxes, arrows and clusters. Nothing here knows how a box looks.

Parameters become chips inside the box of the operation that uses them, which halves the number of boxes. A module
call that is a single operation hands its name to that operation's box; other calls are clusters; calls deeper than
`depth` are one box each, and a row of such boxes that are alike, but perhaps for their sizes, becomes one.
"""

from dataclasses import dataclass, field

from .extract import Graph, Group, Node, Port

MOST_ARROWS = 4  # a parameter used by more boxes (a recurrent net's) is a chip in each, not a box with so many arrows


@dataclass(slots=True)
class Chip:
    """A parameter inside a box, which uses it `uses` times; `shared` counts the boxes that do."""

    node: Node
    uses: int
    shared: int


@dataclass(slots=True)
class Box:
    """An operation, a leaf or a result (`node`), or a whole module call (`node` is None).

    `group` is the call that the box stands for or that made its operation alone; `parent` is the cluster around it.
    `ports` are the results that are used outside. A box of a row of alike calls has the others in `folded`, in order.
    """

    key: str
    node: Node | None
    group: Group | None = None
    parent: int | None = None
    chips: list[Chip] = field(default_factory=list)
    members: list[Node] = field(default_factory=list)
    ports: list[Port] = field(default_factory=list)
    folded: list["Box"] = field(default_factory=list)


@dataclass(slots=True)
class Arrow:
    """A tensor on its way from one box to another."""

    tail: Box
    head: Box
    port: Port


@dataclass(slots=True)
class Drawing:
    """Boxes in the order of the forward pass, arrows between them, and the clusters (open module calls) around them."""

    boxes: list[Box]
    arrows: list[Arrow]
    clusters: list[Group]


def arrange(graph: Graph, depth=None):
    """The `Drawing` of a graph, calls deeper than `depth` levels closed (None: all open, 0: the outermost closed)."""
    boxes, box_of = _boxes(graph, depth)
    _name_single_operations(graph, boxes)
    boxes = _place_leaves(graph, boxes, box_of)
    arrows = _arrows(graph, box_of)
    boxes, arrows = _fold(boxes, arrows)
    return Drawing(boxes, arrows, _clusters(graph, boxes))


def _boxes(graph, depth):
    """A box for every operation, result and closed call of more than one operation, and {node id: box}."""
    closed = []  # per group: the outermost closed call around it, or None
    for group in graph.groups:
        outer = None if group.parent is None else closed[group.parent]
        closed.append(group if outer is None and depth is not None and group.depth >= depth else outer)
    boxes, box_of, modules = [], {}, {}
    for node in graph.nodes:
        if node.kind == "leaf":
            continue
        group = None if node.group is None else closed[node.group]
        if group is None:
            box = Box(f"n{node.id}", node, parent=node.group)
        elif group.id in modules:
            box = modules[group.id]
        else:
            box = modules[group.id] = Box(f"m{group.id}", None, group, group.parent)
        if not box.members:
            boxes.append(box)
        box.members.append(node)
        box_of[node.id] = box
    for box in modules.values():
        if len(box.members) == 1:
            box.node = box.members[0]
            box.key = f"n{box.node.id}"
    return boxes, box_of


def _name_single_operations(graph, boxes):
    """Let a module call that is one operation name that operation's box instead of standing around it."""
    content = [0] * len(graph.groups)
    for group in graph.groups:
        if group.parent is not None:
            content[group.parent] += 1
    for box in boxes:
        if box.parent is not None:
            content[box.parent] += 1
    for box in boxes:
        if box.node is not None and box.parent is not None and content[box.parent] == 1:
            box.group = graph.groups[box.parent]
            box.parent = box.group.parent


def _place_leaves(graph, boxes, box_of):
    """All boxes, leaves among them, after the parameters of each box have become its chips."""
    users = {}  # leaf id -> {box key: uses}
    keyed = {box.key: box for box in boxes}
    for edge in graph.edges:
        if graph.nodes[edge.source].kind == "leaf":
            uses = users.setdefault(edge.source, {})
            key = box_of[edge.target].key
            uses[key] = uses.get(key, 0) + 1
    leaves = []
    for leaf, uses in users.items():
        node = graph.nodes[leaf]
        heads = [keyed[key] for key in uses]
        is_result = any(box.node is not None and box.node.kind == "result" for box in heads)
        if node.parameter and not is_result and (len(heads) == 1 or len(heads) > MOST_ARROWS):
            for box in heads:
                box.chips.append(Chip(node, uses[box.key], len(heads)))
        else:
            parent = _common_parent(graph, heads) if node.parameter else None
            box_of[leaf] = Box(f"n{leaf}", node, parent=parent, members=[node])
            leaves.append(box_of[leaf])
    return sorted(boxes + leaves, key=lambda box: box.members[0].id)


def _common_parent(graph, boxes):
    """The innermost cluster around all of `boxes`."""
    first, *others = (_ancestors(graph, box.parent) for box in boxes)
    return next((group for group in first if all(group in other for other in others)), None)


def _ancestors(graph, group):
    """`group` and the clusters around it, innermost first."""
    found = []
    while group is not None:
        found.append(group)
        group = graph.groups[group].parent
    return found


def _arrows(graph, box_of):
    """An arrow for every edge between two boxes; a tensor enters a closed module once."""
    arrows, entered = [], set()
    leaving = set()
    for edge in graph.edges:
        tail, head = box_of.get(edge.source), box_of[edge.target]
        if tail is None or tail is head:
            continue
        port = graph.nodes[edge.source].ports[edge.output]
        if (edge.source, edge.output) not in leaving:
            leaving.add((edge.source, edge.output))
            tail.ports.append(port)
        entry = (edge.source, edge.output, head.key)
        if head.node is not None or entry not in entered:
            entered.add(entry)
            arrows.append(Arrow(tail, head, port))
    return arrows


def _fold(boxes, arrows):
    """Boxes and arrows with alike closed modules drawn as the first of them.

    Modules in a row fold, each fed by the one before alone, and modules side by side, between the same boxes.
    """
    heads, tails = {}, {}
    for arrow in arrows:
        heads.setdefault(arrow.tail.key, []).append(arrow.head.key)
        tails.setdefault(arrow.head.key, []).append(arrow.tail.key)
    keyed = {box.key: box for box in boxes}
    stands_for = {}  # key of a folded box -> the first of its row
    between = {}  # (keys before, keys after) -> the first closed module there
    doubled = set()  # keys of the others there
    kept = []
    for box in boxes:
        before, after = tails.get(box.key, []), heads.get(box.key, [])
        first = None
        if box.node is None and before:
            previous = keyed[before[0]]
            beside = between.setdefault((tuple(before), tuple(after)), box)
            if len(before) == 1 and len(heads[before[0]]) == 1 and _alike(previous, box):
                first = stands_for.get(previous.key, previous)
            elif beside is not box and _alike(beside, box):
                first = beside
                doubled.add(box.key)
        if first is None:
            kept.append(box)
        else:
            stands_for[box.key] = first
            first.folded.append(box)
    for box in kept:
        row = [box, *box.folded]
        box.members = [node for other in row for node in other.members]
        box.chips = list({chip.node.id: chip for other in row for chip in other.chips}.values())
    remaining = []
    for arrow in arrows:
        if arrow.head.key not in stands_for and arrow.tail.key not in doubled:
            arrow.tail = stands_for.get(arrow.tail.key, arrow.tail)
            remaining.append(arrow)
    return kept, remaining


def _alike(one, other):
    """Whether two boxes are calls of one kind of module in the same cluster, alike in all but sizes and settings."""
    return one.node is None and one.parent == other.parent and _signature(one) == _signature(other)


def _signature(box):
    return (
        box.group.kind,
        _ranks(box.ports),
        [(node.name, _ranks(node.ports)) for node in box.members],
        [(_ranks(chip.node.ports), chip.uses, chip.shared) for chip in box.chips],
    )


def _ranks(ports):
    return [(len(port.shape), port.dtype) for port in ports]


def _clusters(graph, boxes):
    """The groups around boxes, callers before the called."""
    used = set()
    for box in boxes:
        group = box.parent
        while group is not None and group not in used:
            used.add(group)
            group = graph.groups[group].parent
    return [group for group in graph.groups if group.id in used]
