"""Stack traces of each language: what went wrong, where, from what."""

from __future__ import annotations

from typing import Any

import pytest

from engrain.fixes import traces
from engrain.fixes.blocks import FRAMES, MESSAGE
from engrain.fixes.frames import Frame
from tests.stacks import SAMPLES

TOLD = {  # exception, message, test, the application's own calls, causes, others
    "py chained": ("shop.errors.CartError", "cannot total\ncart 7", "", "shop.main.run", "ZeroDivisionError", ""),
    "py group": ("ExceptionGroup", "several (2 sub-exceptions)", "", "app.jobs.main", "", "ValueError KeyError"),
    "pytest long": (
        *("ZeroDivisionError", "division by zero", "tests/test_m.py::test_div"),
        *("src.m.div tests.test_m.test_div", "", ""),
    ),
    "pytest short": ("AssertionError", "assert 3 == 4", "tests/test_a.py::TestX::test_eq[3]", "", "", ""),
    "pytest tb=short": (
        *("AssertionError", "assert 3 == 4\n+  where 3 = f()", "test_eq"),
        *("tests.test_a.test_eq", "", ""),
    ),
    "java": (
        *("com.acme.OrderException", "order 17 failed", "", "com.acme.Orders.save com.acme.Main.main"),
        *("java.lang.NullPointerException java.lang.IllegalStateException", "java.io.IOException"),
    ),
    "node": (
        *("TypeError", "x is not a function", ""),
        *("app.index.<anonymous> src.cart.Cart.total app.foo.Foo", "Error", ""),
    ),
    "firefox": ("TypeError", "foo is undefined", "", "static.app.bar static.app.<anonymous>", "", ""),
    "jest": (
        *("AssertionError", "expect(received).toBe(expected) // Object.is equality\n\nExpected: 2\nReceived: 1"),
        *("Cart › adds an item", "src.cart.test.toBe", "", ""),
    ),
    "go": (
        *("runtime error", "index out of range [5] with length 3", ""),
        *("main.pick main.main github.com/x/y/pkg.(*Srv).Start", "", ""),
    ),
    "rust": (
        *("panic", "index out of bounds: the len is 3 but the index is 99", ""),
        *("shop.cart.pick shop.main", "", ""),
    ),
    "rust old": ("panic", "assertion failed: `(left == right)`", "tests::it_adds", "src.lib", "", ""),
    "dotnet": (
        *("System.InvalidOperationException", "outer failed", "", "Acme.Outer.RunAsync Acme.Program.Main"),
        *("System.NullReferenceException", ""),
    ),
    "ruby": ("ZeroDivisionError", "divided by 0", "", "models.cart./ models.cart.total Cart.run", "", ""),
    "rails": (
        *("NoMethodError", "undefined method `name' for nil:NilClass", ""),
        *("models.user.name controllers.users_controller.show", "", ""),
    ),
    "php": ("RuntimeException", "wrapped", "", "App.Top.go", "App\\Bad", ""),
}


def test_each_language_is_read() -> None:
    assert set(TOLD) == set(SAMPLES)
    for name, text in SAMPLES.items():
        trace = traces.read(text)
        assert trace is not None, name
        own = " ".join(frame.name for frame in trace.frames if frame.in_app)
        causes, others = (" ".join(one.exception for one in some) for some in (trace.causes, trace.others))
        assert (trace.exception, trace.message, trace.test, own, causes, others) == TOLD[name], name
    java = traces.read(SAMPLES["java"])
    assert java is not None
    assert java.frames[0] == Frame("lambda$save$3", "com.acme.Orders", "Orders.java", 20, True)
    assert java.causes[0].frames[0].line == 9


def test_data_are_read_as_text_is() -> None:
    lines = [
        "com.acme.Cart.add(Cart.java:7)",
        "com.acme.CartTest.testAdd(CartTest.java:9)",
        "junit.framework.X.run(X.java:1)",
    ]
    text = "a.b.BadError: no 3\n" + "".join(f"\tat {line}\n" for line in lines)
    told = {"exception": "a.b.BadError", "message": "a.b.BadError: no 3", "frames": lines, "project": "shop"}
    read, given = traces.read(text), traces.read(told)
    assert read is not None
    assert given is not None
    assert (given.exception, given.message, given.frames) == (read.exception, read.message, read.frames)
    assert given.project == "shop"
    assert [frame.in_app for frame in given.frames] == [True, True, False]
    for other in (
        {"type": "a.b.BadError", "message": "no 3", "stack": text},
        {"message": text},
        {"message": "no 3", "trace": text, "type": "crash"},
        {"exception": "a.b.BadError", "message": "no 3", "frames_app": lines[:2]},
        {
            "exception": "a.b.BadError",
            "frames": [{"function": "add", "module": "com.acme.Cart", "file": "Cart.java", "line": 7}],
        },
    ):
        trace = traces.read(other)
        assert trace is not None, other
        assert (trace.exception, trace.frames[0].name) == ("a.b.BadError", "com.acme.Cart.add"), other
    only = traces.read(told, in_app="com.acme.CartTest")
    assert only is not None
    assert [frame.in_app for frame in only.frames] == [False, True, False]
    failed = traces.read({"message": "AssertionError: 1 is not 2", "test": "test_a.py::test_b", "type": "assertion"})
    assert failed is not None
    assert (failed.exception, failed.test) == ("AssertionError", "test_a.py::test_b")


def test_what_is_no_trace_is_none() -> None:
    nothing: Any
    for nothing in (
        "",
        "all is well",
        "ERROR ValueError: bad",
        "at noon (12:30)",
        {},
        {"type": "syntax"},
        7,
        None,
        [],
        b"x",
    ):
        assert traces.read(nothing) is None, nothing
    for odd in ({"frames": [1, {}]}, {"frames": {"a": 1}}, {"exception": 3, "stack": [None]}, {"message": ["x"]}):
        assert traces.read(odd) is None, odd


def test_a_live_exception_with_its_causes() -> None:
    def deep(left: int) -> None:
        if left == 0:
            raise KeyError("gone")
        deep(left - 1)

    def both() -> None:
        try:
            deep(300)
        except KeyError as error:
            raise ExceptionGroup("both", [ValueError("one"), OSError("two")]) from error

    with pytest.raises(ExceptionGroup) as caught:
        both()

    class MuteError(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    mute = traces.read(MuteError())
    assert mute is not None
    assert mute.message == "its text cannot be made: RuntimeError"
    trace = traces.read(caught.value)
    assert trace is not None
    assert (trace.exception, [one.exception for one in trace.others]) == ("ExceptionGroup", ["ValueError", "OSError"])
    assert (trace.root.exception, trace.root.message) == ("KeyError", "'gone'")
    assert (len(trace.root.frames), trace.root.frames[0].function) == (FRAMES, "deep")


RUBY = "\nx.rb:1:in `y'\n" + "a.b" * 300 + "\n" * 3


@pytest.mark.parametrize(
    "line",
    ["\tat ", "\tat a.b.c(", '  File "', "#0 ", "Caused by: ", "a" * 100 + ".", "E   ", "x@y:1:2\n", "'\"<", "--- "],
)
def test_a_flood_is_read_in_bounded_time_and_room(line: str) -> None:
    for text in (
        line * (2**20 // len(line)),
        (line + "\n") * (2**20 // (len(line) + 1)),
        "A.BError: x\n" + line * 9999,
    ):
        trace = traces.read(text)
        assert trace is None or (len(trace.frames) <= FRAMES and len(trace.message) <= MESSAGE)
