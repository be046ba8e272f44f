"""The bug hunt's parts: the rule of the corpus, the operators, the strategies, the values."""

from __future__ import annotations

import ast
import math
import random
from typing import Any

import pytest

from engrain.qe.bughunt import corpus, mutate, values
from engrain.qe.bughunt.strategies import STRATEGIES, relations

IMPURE = {
    "opens": "def f(path):\n    return open(path).read()",
    "prints": "def f(x):\n    print(x)\n    return x",
    "asks the clock": "def f(x):\n    return time.time() + x",
    "asks chance": "def f(x):\n    return random.random() + x",
    "asks the system": "def f(x):\n    return os.getenv(x)",
    "declares a global": "def f(x):\n    global seen\n    seen = x",
    "writes into a global": "def f(x):\n    seen[x] = 1\n    return x",
    "changes a global": "def f(x):\n    seen.append(x)\n    return x",
    "sets an attribute of a global": "def f(x):\n    config.value = x\n    return x",
    "imports": "def f(x):\n    import os\n    return os.getpid()",
    "runs code": "def f(x):\n    return eval(x)",
}
PURE = {
    "computes": "def f(x):\n    return x * 2 + 1",
    "fills a list of its own": "def f(x):\n    seen = []\n    seen.append(x)\n    seen[0] = 3\n    return seen",
    "knows constants": "def f(x):\n    return TABLE[x] + math.sqrt(x)",
}
SAMPLES: dict[str, tuple[str, list[Any]]] = {
    "comparison": ("def f(x):\n    return 1 if x == 3 else 0", [3]),
    "boundary": ("def f(x):\n    return 1 if x < 3 else 0", [3]),
    "arithmetic": ("def f(x):\n    return x + 2", [3]),
    "constant": ("def f(x):\n    return x * 2", [3]),
    "boolean": ("def f(x):\n    return 1 if x > 1 and x > 5 else 0", [3]),
    "negated_condition": ("def f(x):\n    if x:\n        return 1\n    return 2", [3]),
    "deleted_branch": ("def f(x):\n    if x:\n        return 1\n    return 2", [3]),
    "swapped_arguments": ("def f(x):\n    return pow(x, 2)", [3]),
    "removed_statement": ("def f(x):\n    x += 1\n    return x", [3]),
    "return_value": ("def f(x):\n    return x", [3]),
    "slice_bound": ("def f(x):\n    return x[1:]", ["abc"]),
}


def function(source: str) -> ast.FunctionDef:
    node = ast.parse(source).body[0]
    assert isinstance(node, ast.FunctionDef)
    return node


def answer(node: ast.FunctionDef, arguments: list[Any]) -> Any:
    namespace: dict[str, Any] = {}
    exec(compile(ast.Module([node], []), "<sample>", "exec"), namespace)
    return namespace[node.name](*arguments)


def made(*kinds: str, **mined: list[Any]) -> corpus.Function:
    node = function("def f(x):\n    return x")
    return corpus.Function("sample", "f", tuple((f"p{n}", kind) for n, kind in enumerate(kinds)), node, mined)


@pytest.mark.parametrize("source", IMPURE.values(), ids=IMPURE.keys())
def test_an_impure_function_is_refused(source: str) -> None:
    assert corpus.impurity(function(source)) is not None


@pytest.mark.parametrize("source", PURE.values(), ids=PURE.keys())
def test_a_pure_function_is_not_refused(source: str) -> None:
    assert corpus.impurity(function(source)) is None


def test_the_rule_follows_the_functions_that_are_called() -> None:
    judged = corpus.impurity(function("def f(x):\n    return helper(x)"), lambda name: f"calls {name}, which prints")
    assert judged == "calls helper, which prints"


def test_a_module_whose_import_does_something_is_left_alone() -> None:
    names = set(corpus.modules())
    assert {"textwrap", "statistics", "urllib.parse", "colorsys"} <= names
    assert not names & {"idlelib", "turtledemo", "unittest.mock"}, "programs are no libraries"
    assert list(corpus.candidates("antigravity")) == []
    assert {name for name, _ in corpus.candidates("colorsys")} >= {"rgb_to_hsv", "hls_to_rgb"}


@pytest.mark.parametrize("operator", mutate.OPERATORS)
def test_each_operator_changes_what_a_sample_does(operator: str) -> None:
    source, arguments = SAMPLES[operator]
    node = function(source)
    faults = [fault for fault in mutate.faults(node) if fault.operator == operator]
    right = answer(node, arguments)
    assert any(answer(mutate.broken(node, fault), arguments) != right for fault in faults)
    assert answer(node, arguments) == right, "the original was changed"


def test_docstrings_and_defaults_hold_no_faults() -> None:
    assert mutate.faults(function('def f(x=3):\n    """Ten 10."""\n    pass')) == []


@pytest.mark.parametrize("name", STRATEGIES)
@pytest.mark.parametrize("kinds", [("int",), ("str", "int"), ("floats", "float", "bool"), ("bytes", "strs", "ints")])
def test_a_strategy_is_fixed_by_its_seed_and_keeps_to_its_types_and_budget(name: str, kinds: tuple[str, ...]) -> None:
    target = made(*kinds, str=["<b>", "x-1"], int=[7, 400])
    memories: list[list[Any]] = [[3], ["ab", 4], [[1.5], 2.5, True]]
    first, second = (STRATEGIES[name](target, random.Random(5), 20, memories) for _ in range(2))
    assert values.encode(first) == values.encode(second)
    assert 0 < len(first) <= 20
    for arguments in first:
        fits = [values.kind_of(each) == kind or each == [] for each, kind in zip(arguments, kinds, strict=True)]
        assert all(fits), arguments


def test_remembered_inputs_are_tried_as_they_were_before_they_are_varied() -> None:
    tests = STRATEGIES["remembered"](made("str", "int"), random.Random(1), 20, [["needle", 42], [["no", "fit"]]])
    assert tests[0] == ["needle", 42]
    assert any(arguments != ["needle", 42] for arguments in tests)


def test_mined_values_come_from_the_docstring_and_the_source() -> None:
    tests = STRATEGIES["mined"](made("str", str=["&amp;"]), random.Random(1), 20, [])
    assert ["&amp;"] in tests


def test_relations_sort_permute_and_swap() -> None:
    near = relations([[3, 1, 2], 1], random.Random(0))
    assert [[1, 2, 3], 1] in near
    assert [[2, 1, 3], 1] in near
    assert [2, 1] in relations([1, 2], random.Random(0))


@pytest.mark.parametrize("arguments", [[1, "é\n", b"\xff\x00", True], [[1.5, math.inf], []], [["a"], -0.0]])
def test_arguments_survive_being_written_down(arguments: list[Any]) -> None:
    assert values.encode(values.decode(values.encode(arguments))) == values.encode(arguments)
    assert values.freeze(values.decode(values.encode(arguments))) == values.freeze(arguments)


def test_answers_are_compared_with_their_types_and_nan_equals_nan() -> None:
    assert values.freeze(math.nan) == values.freeze(float("nan"))
    different = [1, 1.0, True, "1", b"1", [1], (1,), {1}, None]
    assert len({values.freeze(each) for each in different}) == len(different)
    assert values.freeze(iter([1, 2])) == values.freeze(iter((1, 2)))
    assert values.freeze(10**5000) != values.freeze(10**5000 + 1)


def test_what_shows_only_an_address_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="address"):
        values.freeze(object())
