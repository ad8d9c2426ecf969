"""The profiler: what it counts, how it adds up, and that nothing of it is left behind."""

import json
import threading
import time

import numpy as np
import pytest

import minigrad as mg
from minigrad.autograd import Function, Operation, engine
from minigrad.nn import functional as F
from minigrad.optim import Optimizer
from minigrad.profiler import record_function


def rows(p, **settings):
    """{(key, phase): row}"""
    return {(row.key, row.phase): row for row in p.key_averages(**settings)}


def everything():
    """All attributes that a profile replaces."""
    found, classes = {}, [Operation]
    while classes:
        cls = classes.pop()
        classes += cls.__subclasses__()
        found |= {(cls, name): cls.__dict__[name] for name in ("forward", "backward") if name in cls.__dict__}
    return found | {"run": engine.run, "call": mg.nn.Module.__call__, "step": Optimizer.step}


def test_everything_is_put_back_even_after_an_error():
    before, backend = everything(), mg.kernels.kernels_for(np.ones(1))
    with pytest.raises(ZeroDivisionError), mg.profile(), mg.profile():
        assert everything() != before
        1 / 0  # noqa: B018
    assert everything() == before
    assert mg.kernels.kernels_for(np.ones(1)) is backend


def test_results_are_the_same_bits():
    model = mg.vision.models.LeNet5()
    images = mg.rand(4, 1, 32, 32)

    def step():
        loss = F.cross_entropy(model(images), mg.arange(4))
        return [loss, *mg.autograd.grad(loss, list(model.parameters()))]

    plain = step()
    with mg.profile():
        profiled = step()
    for a, b in zip(plain, profiled):
        assert a.numpy(force=True).tobytes() == b.numpy(force=True).tobytes()


def test_forward_and_backward_are_apart_and_calls_are_counted():
    x = mg.rand(8, 8, requires_grad=True)
    with mg.profile() as p:
        ((x * x).tanh() * 2).sum().backward()
    found = rows(p)
    assert found["Mul", "forward"].count == 2
    assert found["Tanh", "forward"].count == 1
    assert found["MulBackward0", "backward"].count == 2
    assert found["Mul", "backward"].count >= 2  # of which that backward is made
    assert not any(phase == "backward" for key, phase in found if key == "Sum")


def test_operations_bound_by_tables_of_operators_are_seen():
    x, y = mg.rand(4), mg.rand(4)
    with mg.profile() as p:
        _ = x + y, x - y, x / y, x**y, 1 / x
    assert {"Add", "Sub", "Div", "Pow"} <= {key for key, _ in rows(p)}


def test_multiply_adds():
    x, w, b = mg.rand(2, 3, 9, 9), mg.rand(4, 3, 3, 3, requires_grad=True), mg.rand(4)
    with mg.profile() as p:
        F.conv2d(x, w, b).sum().backward()
        mg.rand(5, 6) @ mg.rand(6, 7)
        mg.bmm(mg.rand(2, 5, 6), mg.rand(2, 6, 7))
    found = rows(p)
    products = 2 * (2 * 4 * 7 * 7) * (3 * 3 * 3)  # outputs times taps
    assert found["Convolution", "forward"].flops == products
    assert found["ConvolutionWeightGrad", "backward"].flops == products
    assert found["MatMul", "forward"].flops == 2 * 5 * 7 * 6 * 3
    assert found["Convolution", "forward"].rate.endswith(" GFLOP/s")


def test_bytes_and_allocations():
    x = mg.rand(1000)
    with mg.profile() as p:
        x.exp()
        x.reshape(10, 100).t()
        x[:1].expand(1000) + x
    found = rows(p)
    assert found["Exp", "forward"].bytes == 8000
    assert found["Exp", "forward"].cpu_memory_usage == 4000
    assert found["Add", "forward"].bytes == 4 + 8000  # what is repeated counts once
    views = [row for row in p.key_averages() if row.key in ("Reshape", "Permute", "Transpose", "Expand")]
    assert views
    assert not any(row.bytes or row.cpu_memory_usage for row in views)


def test_times_add_up():
    model = mg.vision.models.LeNet5()
    optimizer = mg.optim.SGD(model.parameters(), lr=0.1)
    with mg.profile() as p:
        F.cross_entropy(model(mg.rand(8, 1, 32, 32)), mg.arange(8)).backward()
        optimizer.step()
    for event in p.events:
        assert 0 <= event.self_seconds <= event.seconds <= p.seconds
    operations = [e for e in p.events if e.kind in ("operation", "optimizer")]
    assert sum(e.self_seconds for e in operations) <= p.seconds
    kernels = sum(e.seconds for e in p.events if e.kind == "kernel")
    assert sum(e.kernel for e in operations) == pytest.approx(kernels)
    step = rows(p)["SGD.step", "optimizer"]
    assert step.count == 1
    assert step.bytes == 3 * 4 * 61706  # parameters read and written, gradients read


def test_by_module():
    model = mg.nn.Sequential(mg.nn.Linear(4, 3), mg.nn.ReLU())
    x = mg.rand(2, 4)
    with mg.profile() as p:
        model(x).sum().backward()
    found = {(row.key, row.phase) for row in p.by_module()}
    for module in ("Sequential.0 (Linear)", "Sequential.1 (ReLU)"):
        assert {(module, "forward"), (module, "backward")} <= found
    assert "Sequential.0 (Linear)" in str(p)


def test_by_shape():
    with mg.profile() as p:
        for n in (2, 3, 3):
            mg.ones(n).exp()
    found = rows(p, group_by_input_shape=True)
    assert found["Exp [[3]]", "forward"].count == 2
    assert found["Exp [[2]]", "forward"].count == 1


def test_functions_of_the_user():
    class Square(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, dy):
            (x,) = ctx.saved_tensors
            return 2 * x * dy

    class Identity(Function):
        @staticmethod
        def forward(x):
            return x.clone()

        @staticmethod
        def setup_context(ctx, inputs, output):
            pass

        @staticmethod
        def backward(ctx, dy):
            return dy

    x = mg.rand(4, requires_grad=True)
    with mg.profile() as p:
        Identity.apply(Square.apply(x)).sum().backward()
    assert {("Square", "forward"), ("SquareBackward", "backward"), ("Identity", "forward")} <= set(rows(p))


def test_the_table_names_limits_and_sorts():
    a = mg.rand(64, 64)
    with mg.profile() as p:
        a @ a
        a.exp()
        a.exp()
    lines = p.key_averages().table(sort_by="count").splitlines()
    assert lines[2].startswith("Exp")
    assert "GB/s" in lines[2]
    assert "%" in lines[3]
    assert "1 more" in p.key_averages().table(row_limit=1)
    with pytest.raises(AttributeError):
        p.key_averages().table(sort_by="beauty")


def test_nested_profiles_both_see():
    with mg.profile() as outer:
        mg.ones(3).exp()
        with mg.profile() as inner:
            mg.ones(3).tanh()
    assert ("Tanh", "forward") in rows(inner)
    assert ("Exp", "forward") not in rows(inner)
    assert {("Tanh", "forward"), ("Exp", "forward")} <= set(rows(outer))


def test_other_threads_are_left_alone():
    def work():
        mg.ones(3).tanh()

    with mg.profile() as p:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert p.events == []


def test_ranges_of_the_user():
    with mg.profile() as p, record_function("load"):
        time.sleep(0.002)
        mg.ones(3).exp()
    row = rows(p)["load", "forward"]
    assert row.cpu_time_total >= 2000
    assert row.self_cpu_time_total < row.cpu_time_total


def test_an_error_in_an_operation_passes_through():
    with mg.profile() as p, pytest.raises(RuntimeError):
        mg.ones(3, 3) @ mg.ones(4, 4)
    mg.ones(2).exp()
    assert all(event.name != "Exp" for event in p.events)


def test_chrome_trace(tmp_path):
    model = mg.nn.Linear(4, 3)
    with mg.profile() as p:
        model(mg.rand(2, 4)).sum().backward()
    p.export_chrome_trace(tmp_path / "trace.json")
    trace = json.loads((tmp_path / "trace.json").read_text())
    names = {event["name"]: event for event in trace["traceEvents"]}
    assert {"Linear", "matmul", "LinearBackward0", "backward"} <= set(names)
    assert all(event["ph"] == "X" and event["dur"] >= 0 and event["ts"] >= 0 for event in trace["traceEvents"])
    assert names["matmul"]["args"]["flops"] == 2 * 2 * 4 * 3 or names["matmul"]["args"]["phase"] == "backward"


def test_an_empty_profile_prints():
    with mg.profile() as p:
        pass
    assert "0.00 ms in operations" in str(p)
