"""Faults: one small wrong edit of a function, as the mutation operators of DeMillo, Lipton and Sayward (1978) make.

An operator looks at one node and answers with the wrong edits that are possible there. Some edits change nothing that
can be observed (equivalent mutants); the oracle column of the report shows how many faults can be found at all.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

Edit = Callable[[], None]

COMPARISON: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.GtE, ast.GtE: ast.Lt, ast.Gt: ast.LtE, ast.LtE: ast.Gt,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
BOUNDARY: dict[type[ast.cmpop], type[ast.cmpop]] = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt}
ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.LShift: ast.RShift, ast.RShift: ast.LShift, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.BitXor: ast.BitOr,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fault:
    """Where a function is broken: the `node`-th node of its tree, the operator, and which of its edits there."""

    node: int
    operator: str
    edit: int
    line: int


def _put(holder: ast.AST, field: str, value: object) -> Edit:
    return lambda: setattr(holder, field, value)


def _swap(held: list[ast.expr] | list[ast.cmpop] | list[ast.stmt], spot: int, value: ast.AST) -> Edit:
    return lambda: held.__setitem__(spot, value)  # type: ignore[call-overload]


def comparison(node: ast.AST) -> Iterator[Edit]:
    """`==` becomes `!=`, `<` becomes `>=`, `in` becomes `not in`."""
    if isinstance(node, ast.Compare):
        yield from (_swap(node.ops, at, COMPARISON[type(op)]()) for at, op in enumerate(node.ops))


def boundary(node: ast.AST) -> Iterator[Edit]:
    """`<` becomes `<=`: off by one."""
    if isinstance(node, ast.Compare):
        yield from (_swap(node.ops, at, BOUNDARY[type(op)]()) for at, op in enumerate(node.ops) if type(op) in BOUNDARY)


def arithmetic(node: ast.AST) -> Iterator[Edit]:
    """`+` becomes `-`, `*` becomes `+`, `>>` becomes `<<`."""
    if isinstance(node, (ast.BinOp, ast.AugAssign)) and type(node.op) in ARITHMETIC:
        yield _put(node, "op", ARITHMETIC[type(node.op)]())


def constant(node: ast.AST) -> Iterator[Edit]:
    """A number is one off, a truth value is turned, a text loses its last character."""
    if not isinstance(node, ast.Constant):
        return
    if isinstance(node.value, bool):
        yield _put(node, "value", not node.value)
    elif isinstance(node.value, (int, float)):
        yield from (_put(node, "value", node.value + 1), _put(node, "value", node.value - 1))
    elif isinstance(node.value, str):
        yield _put(node, "value", node.value[:-1] or "x")
    elif isinstance(node.value, bytes):
        yield _put(node, "value", node.value[:-1] or b"x")


def boolean(node: ast.AST) -> Iterator[Edit]:
    """`and` becomes `or`."""
    if isinstance(node, ast.BoolOp):
        yield _put(node, "op", ast.Or() if isinstance(node.op, ast.And) else ast.And())


def negated_condition(node: ast.AST) -> Iterator[Edit]:
    """The condition of an if, a loop or a conditional expression is turned round."""
    if isinstance(node, (ast.If, ast.While, ast.IfExp)):
        yield _put(node, "test", ast.UnaryOp(ast.Not(), node.test))


def deleted_branch(node: ast.AST) -> Iterator[Edit]:
    """The body of an `if` is never entered, or its `else` is lost."""
    if isinstance(node, ast.If):
        yield _put(node, "test", ast.Constant(False))
        if node.orelse:
            yield _put(node, "orelse", [])


def swapped_arguments(node: ast.AST) -> Iterator[Edit]:
    """`f(a, b)` becomes `f(b, a)`; so do the two sides of `-`, `/`, `%`."""
    if isinstance(node, ast.Call) and len(node.args) > 1 and not any(isinstance(a, ast.Starred) for a in node.args[:2]):
        yield _put(node, "args", [node.args[1], node.args[0], *node.args[2:]])
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Sub, ast.Div, ast.FloorDiv, ast.Mod)):
        left, right = node.left, node.right

        def turn() -> None:
            node.left, node.right = right, left

        yield turn


def removed_statement(node: ast.AST) -> Iterator[Edit]:
    """An assignment, a call or a raise is gone."""
    for field in ("body", "orelse"):
        held: Any = getattr(node, field, None)
        for at, statement in enumerate(held if isinstance(held, list) else []):
            if isinstance(statement, (ast.Assign, ast.AugAssign, ast.Expr, ast.Raise, ast.Continue, ast.Break)):
                yield _swap(held, at, ast.Pass())


def return_value(node: ast.AST) -> Iterator[Edit]:
    """`return x` gives None, or the negation of a truth value."""
    if isinstance(node, ast.Return) and node.value is not None:
        truth = isinstance(node.value, (ast.Compare, ast.BoolOp)) or isinstance(
            getattr(node.value, "value", None), bool
        )
        yield _put(node, "value", ast.UnaryOp(ast.Not(), node.value) if truth else ast.Constant(None))


def slice_bound(node: ast.AST) -> Iterator[Edit]:
    """`x[a:b]` begins or ends one off."""
    if isinstance(node, ast.Slice):
        for field in ("lower", "upper"):
            if (bound := getattr(node, field)) is not None:
                yield _put(node, field, ast.BinOp(bound, ast.Add(), ast.Constant(1)))


OPERATORS: dict[str, Callable[[ast.AST], Iterator[Edit]]] = {
    operator.__name__: operator
    for operator in (
        comparison, boundary, arithmetic, constant, boolean, negated_condition, deleted_branch, swapped_arguments,
        removed_statement, return_value, slice_bound,
    )
}  # fmt: skip


def _nodes(function: ast.FunctionDef) -> list[ast.AST]:
    """The nodes of the body; the docstring, defaults and annotations are not code that can be wrong."""
    first = 1 if ast.get_docstring(function, clean=False) is not None else 0
    return [function, *(node for statement in function.body[first:] for node in ast.walk(statement))]


def faults(function: ast.FunctionDef) -> list[Fault]:
    """Every fault that the operators can put into a function, in the order of its source."""
    return [
        Fault(at, name, edit, getattr(node, "lineno", 0))
        for at, node in enumerate(_nodes(function))
        for name, operator in OPERATORS.items()
        for edit, _ in enumerate(operator(node))
        if not (node is function and name == "removed_statement" and isinstance(function.body[edit], ast.Expr))
    ]


def broken(function: ast.FunctionDef, fault: Fault) -> ast.FunctionDef:
    """A copy of the function with the fault in it."""
    copied = copy.deepcopy(function)
    list(OPERATORS[fault.operator](_nodes(copied)[fault.node]))[fault.edit]()
    return ast.fix_missing_locations(copied)
