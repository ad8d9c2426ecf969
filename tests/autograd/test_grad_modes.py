"""`no_grad`, `enable_grad` and `set_grad_enabled`: as context managers, decorators, around generators, per thread."""

import threading

from torch_oracle import named, same_program

import minigrad as mg


def nothing_is_recorded_under_no_grad(m):
    x = m.ones(2, requires_grad=True)
    with m.no_grad():
        y = x * 2
    return y, y.is_leaf, m.is_grad_enabled()


def nested(m):
    seen = [m.is_grad_enabled()]
    with m.no_grad():
        seen.append(m.is_grad_enabled())
        with m.enable_grad():
            seen.append(m.is_grad_enabled())
            with m.set_grad_enabled(False):
                seen.append(m.is_grad_enabled())
            seen.append(m.is_grad_enabled())
        seen.append(m.is_grad_enabled())
    return (*seen, m.is_grad_enabled())


def restored_after_an_error(m):
    try:
        with m.no_grad():
            raise KeyError
    except KeyError:
        return m.is_grad_enabled()


def as_decorators(m):
    @m.no_grad()
    def off():
        return m.is_grad_enabled()

    @m.no_grad
    def off_without_call():
        return m.is_grad_enabled()

    @m.enable_grad()
    def on():
        return m.is_grad_enabled()

    @m.set_grad_enabled(False)
    def set_off():
        return m.is_grad_enabled()

    outside = m.is_grad_enabled()
    with m.no_grad():
        inside = on()
    return off(), off_without_call(), set_off(), outside, inside, off.__name__


def a_decorated_function_may_recurse(m):
    @m.no_grad()
    def count(n):
        return m.is_grad_enabled() if n == 0 else count(n - 1)

    return count(3), m.is_grad_enabled()


def set_grad_enabled_as_a_plain_call(m):
    m.set_grad_enabled(False)
    off = m.is_grad_enabled()
    m.set_grad_enabled(True)
    return off, m.is_grad_enabled()


def one_manager_used_twice(m):
    manager, seen = m.no_grad(), []
    for _ in range(2):
        with manager:
            seen.append(m.is_grad_enabled())
        seen.append(m.is_grad_enabled())
    return seen


def a_generator_keeps_its_mode_to_itself(m):
    @m.no_grad()
    def numbers():
        received = yield m.is_grad_enabled()
        yield received, m.is_grad_enabled()
        try:
            yield "next"
        except ValueError:
            yield "caught", m.is_grad_enabled()
        return "end"

    generator = numbers()
    seen = [next(generator), m.is_grad_enabled(), generator.send("sent"), m.is_grad_enabled(), next(generator)]
    seen.append(generator.throw(ValueError()))
    try:
        next(generator)
    except StopIteration as stop:
        seen.append(stop.value)
    return seen


def a_closed_generator_cleans_up(m):
    seen = []

    @m.no_grad()
    def numbers():
        try:
            yield 1
        finally:
            seen.append(m.is_grad_enabled())

    generator = numbers()
    next(generator)
    generator.close()
    return (*seen, m.is_grad_enabled())


def new_leaves_under_no_grad_may_require_grad(m):
    with m.no_grad():
        x = m.ones(2, requires_grad=True)
    (x * 3).sum().backward()
    return x.grad


def recording_is_off_inside_backward(m):
    seen, x = [], m.ones(2, requires_grad=True)
    x.register_hook(lambda g: seen.append(m.is_grad_enabled()))
    x.sum().backward()
    x.sum().backward(create_graph=True)
    return (*seen, m.is_grad_enabled())


@named(
    nothing_is_recorded_under_no_grad,
    nested,
    restored_after_an_error,
    as_decorators,
    a_decorated_function_may_recurse,
    set_grad_enabled_as_a_plain_call,
    one_manager_used_twice,
    a_generator_keeps_its_mode_to_itself,
    a_closed_generator_cleans_up,
    new_leaves_under_no_grad_may_require_grad,
    recording_is_off_inside_backward,
)
def test_same_as_torch(function):
    same_program(function)


def test_the_mode_belongs_to_the_thread():
    seen = []
    with mg.no_grad():
        thread = threading.Thread(target=lambda: seen.append(mg.is_grad_enabled()))
        thread.start()
        thread.join()
    assert seen == [True]
