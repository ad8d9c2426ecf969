"""The numbers on the page are NumPy's, computed anew; what paths bring to a gradient sums to it."""

import base64
import re

import numpy as np
import programs
import pytest
from explorer_file import document_in
from explorer_page import agrees

torch = pytest.importorskip("torch")


def stats_shown(section):
    """[{"norm": "1.2", "from": "-3", ...}] of every array that a section describes."""
    found = []
    for line in section.locator(".stats").all_inner_texts():
        found.append(dict(re.findall(r"(norm|from|to|mean|value) ([−+\d.e∞]+)", line)))
    return found


def assert_shown(stats, array):
    array = np.asarray(array, np.float64)
    if array.size == 1:
        assert agrees(stats["value"], float(array.reshape(())), digits=6)
        return
    exact = {"norm": np.linalg.norm(array), "from": array.min(), "to": array.max()}
    for name, value in exact.items():
        assert agrees(stats[name], float(value)), (name, stats[name], value)
    assert agrees(stats["mean"], float(array.mean()), error=1e-6 * np.abs(array).max()), (stats["mean"], array.mean())


def by_hand(facts):
    """Values and gradients of the small program, in float64."""
    x, w, b = (np.asarray(array, np.float64) for array in (facts.x, facts.w, facts.b))
    z = x @ w + b
    h = np.tanh(z)
    y = h + x
    dy = 2 * y
    dz = dy * (1 - h * h)
    return {
        **{"x": x, "w": w, "b": b, "z": z, "h": h, "y": y, "loss": (y * y).sum()},
        **{
            "dy": dy,
            "dz": dz,
            "dx skip": dy,
            "dx product": dz @ w.T,
            "dx": dy + dz @ w.T,
            "dw": x.T @ dz,
            "db": dz.sum(0),
        },
    }


def test_values_and_gradients_of_the_small_program(explore):
    explorer = explore(programs.small)
    exact = by_hand(explorer.facts)
    explorer.go(f"#position={explorer.place_of('forward', 'Tanh')}")
    result, given = stats_shown(explorer.section("values"))
    assert_shown(result, exact["h"])
    assert_shown(given, exact["z"])
    explorer.go(f"#position={explorer.place_of('backward', 'Tanh')}")
    assert_shown(stats_shown(explorer.section("arriving"))[0], exact["dy"])
    assert_shown(stats_shown(explorer.section("leaving"))[0], exact["dz"])


def test_a_broadcast_bias_says_over_which_axes_its_gradient_was_summed(explore):
    explorer = explore(programs.small)
    exact = by_hand(explorer.facts)
    explorer.go(f"#position={explorer.place_of('backward', 'Add', -1)}")
    to_product, to_bias = explorer.section("leaving").locator(".flow").all()
    assert "summed over axes (0,)" in to_bias.inner_text() and "summed" not in to_product.inner_text()
    assert_shown(stats_shown(explorer.section("leaving"))[1], exact["db"])


def test_the_ledger_where_a_skip_connection_joins(explore):
    explorer = explore(programs.small)
    exact = by_hand(explorer.facts)
    (x,) = [t["id"] for t in explorer.document()["tensors"] if t["is_leaf"] and t["shape"] == [2, 3]]
    ledger = explorer.go(f"#position={explorer.last}&tensor={x}").section("ledger")
    rows = ledger.locator("[data-ledger-row]").all()
    parts = [exact["dx skip"], exact["dx product"]]
    sizes = [np.linalg.norm(part) for part in parts]
    norms = [row.locator(".number").first.inner_text() for row in rows]
    assert len(norms) == 2 and all(agrees(text, size, digits=4) for text, size in zip(norms, sizes))
    total = ledger.locator("[data-ledger-total] .number").first.inner_text()
    assert agrees(total, np.linalg.norm(exact["dx"]), digits=4)
    shares = [float(row.get_attribute("data-share")) for row in rows]
    assert shares == pytest.approx([size / sum(sizes) for size in sizes], rel=1e-5) and sum(shares) == pytest.approx(1)
    sums = ledger.locator("table.numbers tr").all()
    for row, *numbers in zip(sums, *(array.ravel() for array in (*parts, exact["dx"])), strict=True):
        texts = row.locator("td").all_inner_texts()
        assert len(texts) == 3 and all(map(agrees, texts, numbers))


def array_of(document, index, shape):
    """An array of a document, or None where it was left out or is not whole."""
    data = None if index is None else document["data"][index]
    if data is None:
        return None
    if "numbers" in data:
        return np.asarray(data["numbers"], np.float64).reshape(shape)
    planes = data["planes"]
    values = np.frombuffer(base64.b64decode(planes["f32"]), "<f4").astype(np.float64)
    return values.reshape(planes["count"], planes["rows"], planes["cols"])


@pytest.mark.parametrize("program", [programs.small, programs.lenet, programs.resnet18, programs.lstm, programs.gan])
def test_parts_sum_to_the_total_wherever_paths_meet(pages, program):
    path, _ = pages(program)
    document = document_in(path.read_text(encoding="utf-8"))
    met = 0
    for walk in document["passes"]:
        parts = {}
        for step in walk["steps"]:
            for entry in step["leaving"]:
                parts.setdefault(entry["tensor"], []).append(entry)
        for step in walk["steps"]:
            for total in step["arriving"]:
                entries = parts.get(total["tensor"], [])
                shape = document["tensors"][total["tensor"]]["shape"]
                arrays = [array_of(document, entry["data"], shape) for entry in [*entries, total]]
                if len(entries) < 2 or any(array is None or array.shape != arrays[0].shape for array in arrays):
                    continue
                met += 1
                scale = max(np.abs(array).max() for array in arrays)
                np.testing.assert_allclose(sum(arrays[:-1]), arrays[-1], rtol=1e-6, atol=1e-6 * scale)
    assert met >= {"resnet18": 8, "lstm": 4}.get(program.__name__, 0)


def lenet_in_torch(facts):
    """Gradients of LeNet-5's parameters and of its first convolution, by PyTorch in float64."""
    weights = {
        name: torch.from_numpy(parameter.detach().numpy().astype(np.float64)).requires_grad_()
        for name, parameter in facts.net.named_parameters()
    }
    f, x = torch.nn.functional, torch.from_numpy(facts.images.astype(np.float64))
    c1 = f.conv2d(x, weights["c1.weight"], weights["c1.bias"])
    c1.retain_grad()
    x = f.avg_pool2d(c1.tanh(), 2)
    x = f.avg_pool2d(f.conv2d(x, weights["c3.weight"], weights["c3.bias"]).tanh(), 2)
    x = f.conv2d(x, weights["c5.weight"], weights["c5.bias"]).tanh().flatten(1)
    x = f.linear(x, weights["f6.weight"], weights["f6.bias"]).tanh()
    loss = f.cross_entropy(
        f.linear(x, weights["output.weight"], weights["output.bias"]), torch.from_numpy(facts.labels)
    )
    loss.backward()
    return weights, c1


def test_lenets_numbers_are_pytorchs(explore):
    explorer = explore(programs.lenet)
    weights, c1 = lenet_in_torch(explorer.facts)
    document = explorer.document()
    ids = {tensor["name"]: tensor["id"] for tensor in document["tensors"] if tensor["role"] == "parameter"}
    assert {name.removeprefix("net.") for name in ids} == set(weights)
    for name, exact in weights.items():
        tensor = next(i for own, i in ids.items() if own.removeprefix("net.") == name)
        explorer.go(f"#position={explorer.last}&tensor={tensor}")
        assert_shown(stats_shown(explorer.section("values"))[0], exact.detach())
        assert_shown(stats_shown(explorer.section("gradient"))[0], exact.grad)
    explorer.go(f"#position={explorer.place_of('forward', 'Convolution')}")
    assert_shown(stats_shown(explorer.section("values"))[0], c1.detach())
    explorer.go(f"#position={explorer.place_of('backward', 'Convolution', -1)}")
    assert_shown(stats_shown(explorer.section("arriving"))[0], c1.grad)


def test_an_lstms_shared_weight_collects_every_moment(explore):
    explorer = explore(programs.lstm)
    cell = torch.nn.LSTMCell(3, 4).double()
    with torch.no_grad():
        for theirs, ours in zip(cell.parameters(), explorer.facts.net.parameters(), strict=True):
            theirs.copy_(torch.from_numpy(ours.detach().numpy()))
    state = None
    for word in torch.from_numpy(explorer.facts.words.astype(np.float64)):
        state = cell(word, state)
    state[0].square().mean().backward()
    for name, parameter in cell.named_parameters():
        (tensor,) = [t["id"] for t in explorer.document()["tensors"] if t["name"].endswith(name)]
        explorer.go(f"#position={explorer.last}&tensor={tensor}")
        assert_shown(stats_shown(explorer.section("gradient"))[0], parameter.grad)
        rows = explorer.section("ledger").locator("[data-ledger-row]")
        if name.startswith("weight"):
            assert rows.count() >= 4  # a moment each; the first state is zero
