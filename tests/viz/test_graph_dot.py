"""The DOT text: it parses, it is the same for the same model, and it shows names literally, whatever they contain."""

import xml.etree.ElementTree as ElementTree

import pygraphviz
import pytest

import minigrad as mg
from minigrad import nn, viz

HOSTILE = [
    "</script><img src=x onerror=alert(1)>",
    "\"quoted\" 'too'",
    r"back\slash \N \G \L \\ end\ ".rstrip(),
    "two\nlines\r\ttab",
    "<b>bold</b> &amp; &#65;",
    "ü 漢字 😀 ∅ ↑",
    "a\u202eb\x00c\ud800",
    "]; } digraph evil { a -> b",
    "{field | <port>} %s {0}",
    "  ",
    "<>",
]


def leaf(*shape, **options):
    return mg.ones(shape, requires_grad=True, **options)


def parse(picture):
    return pygraphviz.AGraph(string=picture.dot)


def svg(picture):
    return ElementTree.fromstring(picture._repr_mimebundle_()["image/svg+xml"])


def lines(element):
    """Every line of text in an element of a drawing, with plain spaces."""
    found = [part.text or "" for part in element.iter("{http://www.w3.org/2000/svg}text")]
    return [text.replace("\N{NO-BREAK SPACE}", " ") for text in found]


def texts(picture):
    return lines(svg(picture))


def tooltips(picture):
    return [link for part in svg(picture).iter() if (link := part.get("{http://www.w3.org/1999/xlink}title"))]


def box(picture, key):
    """The element of the box with this key."""
    groups = svg(picture).iter("{http://www.w3.org/2000/svg}g")
    return next(group for group in groups if group.findtext("{http://www.w3.org/2000/svg}title") == key)


def shown(name):
    """`name` as it should appear: literal, with escapes for what has no glyph."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(3, 4), nn.Tanh())
        self.head = nn.Linear(4, 2)

    def forward(self, x):
        return self.head(self.body(x))


def test_text_parses_into_the_boxes_arrows_and_clusters_of_the_drawing():
    picture = viz.graph(Net()(mg.ones(5, 3)).sum())
    graph = parse(picture)
    assert len(graph.nodes()) == 5  # two Linear, Tanh, Sum, loss
    assert [graph.get_node(node).attr["shape"] for node in graph.nodes()] == ["box"] * 5
    assert sorted(graph.edges()) == [("n2", "n3"), ("n3", "n6"), ("n6", "n7"), ("n7", "n8")]
    (outer,) = graph.subgraphs()
    (inner,) = outer.subgraphs()
    assert (outer.name, sorted(outer.nodes())) == ("cluster_0", ["n2", "n3", "n6"])
    assert (inner.name, sorted(inner.nodes())) == ("cluster_1", ["n2", "n3"])
    assert "dashed" in inner.graph_attr["style"]


def test_what_a_box_says():
    model = Net()
    picture = viz.graph(model(mg.ones(5, 3)).sum())
    said = [" ".join(line.split()) for line in lines(box(picture, "n2"))]
    saved = picture.graph.nodes[2].saved_bytes
    assert said == [
        "0:",
        "Linear",
        f"saved {saved} B ↑4",
        model.body[0].extra_repr(),
        "weight",
        "4×3",
        "∅",
        "bias",
        "(4,)",
        "∅",
    ]
    assert any("body.0.weight" in tooltip for tooltip in tooltips(picture))
    assert "Net" in texts(picture) and "body: Sequential" in texts(picture)
    assert "scalar" in " ".join(texts(picture)) and "loss" in texts(picture)


def test_formula_is_the_tooltip():
    picture = viz.graph(leaf(2).tanh())
    operation = next(node for node in picture.graph.nodes if node.kind == "operation")
    assert operation.formula and operation.formula in tooltips(picture)


def test_gradients_and_saved_bytes_come_and_go():
    x = leaf(2)
    loss = (x * x).sum()
    before = " ".join(texts(viz.graph(loss, {"x": x})))
    loss.backward()
    after = " ".join(texts(viz.graph(loss, {"x": x})))
    assert "∅" in before and "∅" not in after
    assert "saved 16 B" in before and "saved" not in after


def test_values_are_written_on_demand():
    x, y = mg.tensor([1.0, -2.5], requires_grad=True), mg.tensor(3.0, requires_grad=True)
    loss = (x * y).sum()
    assert {"[1, -2.5] | ∅", "3 | ∅", "-4.5"} <= set(texts(viz.graph(loss, {"x": x, "y": y}, values=True)))
    loss.backward()
    assert {"[1, -2.5] | [3, 3]", "3 | -1.5"} <= set(texts(viz.graph(loss, {"x": x, "y": y}, values=True)))
    assert not any("|" in text for text in texts(viz.graph(loss, {"x": x, "y": y})))


def shapes_at_arrows(picture):
    groups = svg(picture).iter("{http://www.w3.org/2000/svg}g")
    arrows = [group for group in groups if group.get("class") == "edge"]
    return {arrow.findtext("{http://www.w3.org/2000/svg}title"): lines(arrow)[0].strip() for arrow in arrows}


def test_every_arrow_says_the_shape_that_it_carries():
    picture = viz.graph(Net()(mg.ones(5, 3)).sum())
    assert shapes_at_arrows(picture) == {"n2->n3": "5×4", "n3->n6": "5×4", "n6->n7": "5×2", "n7->n8": "scalar"}


def test_long_settings_are_broken_into_lines_before_a_name():
    layer = nn.Conv2d(3, 64, (7, 7), stride=(2, 2), padding=(3, 3), bias=False)
    words = [text.strip() for text in texts(viz.graph(layer(mg.ones(1, 3, 9, 9))))]
    start = words.index("Conv2d(3, 64, kernel_size=(7, 7), stride=(2, 2),")
    assert words[start + 1] == "padding=(3, 3), bias=False)"


def test_computed_tensors_carry_their_names():
    x = leaf()
    y = x * x
    assert "y = Mul" in texts(viz.graph(y.exp(), {"x": x, "y": y}))


def test_dtype_is_written_unless_float32():
    of_double, of_single = viz.graph(leaf(2, 3, dtype=mg.float64).tanh()), viz.graph(leaf(2, 3).tanh())
    assert [text.strip() for text in texts(of_double)].count("2×3 float64") == 2  # to Tanh and from it
    assert [text.strip() for text in texts(of_single)].count("2×3") == 2
    assert "2×3 float32" not in " ".join(texts(of_single))


def test_closed_modules_say_how_much_is_inside():
    net = nn.Sequential(*(Net() for _ in range(1)), nn.Linear(2, 1))
    words = " ".join(texts(viz.graph(net(mg.ones(5, 3)).sum(), depth=1)))
    assert "4 parameters" in words and " 26 ∅" in words and "↑3–5" in words
    net[0].head.bias.grad = mg.ones(2)
    assert " 26 ∅ in 3" in " ".join(texts(viz.graph(net(mg.ones(5, 3)).sum(), depth=1)))
    row = nn.Sequential(*(nn.Sequential(nn.Linear(3, 3), nn.Tanh()) for _ in range(3)))
    words = texts(viz.graph(row(mg.ones(5, 3)), depth=1))
    assert {"0 … 2:", "Sequential ×3"} <= {text.strip() for text in words}
    narrowing = nn.Sequential(*(nn.Sequential(nn.Linear(n, n - 1), nn.Tanh()) for n in range(9, 3, -1)))
    words = " ".join(texts(viz.graph(narrowing(mg.ones(5, 9)), depth=1)))
    assert "Sequential ×6" in words and "5×8 → 5×7 → … → 5×3" in words
    bare = nn.Sequential(*(nn.Sequential(nn.Tanh(), nn.Tanh()) for _ in range(3)))
    assert "parameters" not in " ".join(texts(viz.graph(bare(leaf(5, 3)), depth=1)))


def test_the_same_model_gives_the_same_text():
    model = Net()
    kept = model(mg.ones(5, 3)).sum()
    assert viz.graph(model(mg.ones(5, 3)).sum()).dot == viz.graph(kept).dot
    assert viz.graph(model(mg.ones(5, 3)).sum(), depth=1).dot != viz.graph(kept).dot


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_of_parameters_are_shown_literally(name):
    x, y = leaf(2), leaf(2)
    picture = viz.graph((x * y).tanh() * y, {name: x, "y": y})
    assert len(parse(picture).nodes()) == 5 and len(parse(picture).edges()) == 5
    assert shown(name).rstrip() in [text.rstrip() for text in texts(picture)]
    assert any(shown(name).replace("\\", "∖").strip() in tooltip for tooltip in tooltips(picture))
    assert not list(svg(picture).iter("{http://www.w3.org/2000/svg}script"))
    assert "<img" not in picture._repr_mimebundle_()["image/svg+xml"]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_of_modules_results_and_settings_are_shown_literally(name):
    class Hostile(nn.Module):
        def extra_repr(self):
            return name

        def forward(self, x):
            return (x * 2).tanh()

    Hostile.__name__ = name.encode(errors="replace").decode().replace("\x00", "")
    model = nn.Module.__new__(nn.Sequential)
    nn.Sequential.__init__(model)
    attribute = name.replace(".", "")
    model._modules[attribute] = Hostile()
    x = leaf(2)
    y = model(x)
    for depth in (None, 1):
        picture = viz.graph(y, {name: y}, depth=depth)
        assert len(parse(picture).nodes()) == (4 if depth is None else 3)
        words = " ".join(texts(picture))
        assert shown(name).strip()[:25] in words
        assert "<img" not in picture._repr_mimebundle_()["image/svg+xml"]


def test_long_names_are_cut_and_whole_in_the_tooltip():
    x, name = leaf(2), "head" + "x" * 5000 + "tail"
    picture = viz.graph((x * 2).sum(), {name: x})
    (short,) = [text for text in texts(picture) if text.startswith("head")]
    assert len(short) <= 60 and short.endswith("tail") and "…" in short
    assert any(name in tooltip for tooltip in tooltips(picture))
