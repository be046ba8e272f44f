"""The body of a unittest test in pytest's words: ``self.assertEqual(a, b)`` as ``assert a == b``, and its siblings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import libcst as cst

from engrain.patterns.mapping.asserts import API, CALLS, KEPT, OLD_NAMES, OPERATORS, SAME_TYPE, signature
from engrain.patterns.mapping.python_text import Left, Source, argument, code, dotted, own_brackets

RAISES = {
    "assertRaises": "pytest.raises",
    "assertRaisesRegex": "pytest.raises",
    "assertWarns": "pytest.warns",
    "assertWarnsRegex": "pytest.warns",
}


SUBTESTS = "subtests is a fixture of pytest 9, or of pytest-subtests"


class ToAsserts(cst.CSTTransformer):
    """One function's body. ``fixtures`` collects the parameters that the new body needs; ``notes`` what is to know.

    Raises Left where something has no equal; the caller then leaves the whole class as it was."""

    def __init__(self, source: Source, *, cleanups: bool) -> None:
        super().__init__()
        self.source = source
        self.cleanups = cleanups  # whether addCleanup may become request.addfinalizer here
        self.fixtures: list[str] = []
        self.notes: list[tuple[int | None, str]] = []
        self.caught: set[str] = set()
        self._tries = 0

    # what is looked at before the inside changes

    def visit_With(self, node: cst.With) -> None:
        for item in node.items:
            if check_of(item.item) in RAISES and item.asname is not None:
                if not isinstance(item.asname.name, cst.Name):
                    raise Left("what was raised is kept elsewhere than in a variable", node)
                self.caught.add(item.asname.name.value)

    def visit_Try(self, node: cst.Try) -> None:
        self._tries += 1

    def leave_Try(self, original_node: cst.Try, updated_node: cst.Try) -> cst.Try:
        self._tries -= 1
        return updated_node

    def visit_ClassDef(self, node: cst.ClassDef) -> None:
        raise Left("a class inside a test", node)

    # statements

    def leave_Expr(self, original_node: cst.Expr, updated_node: cst.Expr) -> cst.BaseSmallStatement:
        name = check_of(updated_node.value)
        if name is None or name in RAISES:
            return updated_node
        call = cst.ensure_type(updated_node.value, cst.Call)
        made = self._statement(name, call, original_node)
        if made is None:
            return updated_node
        comments = _comments_between(call)
        if comments:
            self.notes.append((self.source.line(original_node), f"comments inside the call went: {comments}"))
        line = cst.ensure_type(self.source.parse(made), cst.SimpleStatementLine)
        return line.body[0].with_changes(semicolon=updated_node.semicolon)

    def _statement(self, name: str, call: cst.Call, at: cst.CSTNode) -> str | None:
        """The statement that says what the call says; None where there is no such."""
        if name == "fail":
            given = bound("fail", call)
            words = argument(given["msg"]) if "msg" in given else ""
            return f"raise AssertionError({words})"
        if name == "skipTest":
            if self._tries:
                raise Left("skipTest inside try: pytest's skip is caught by other clauses", at)
            return f"pytest.skip({argument(bound('skipTest', call)['reason'])})"
        if name == "addCleanup":
            return self._cleanup(call, at)
        if name in KEPT:
            self.notes.append((self.source.line(at), f"{name} stays unittest's own check: pytest has none like it"))
            return f"unittest.TestCase().{name}({', '.join(_plain(one) for one in call.args)})"
        given = dict(bound(name, call))
        message = given.pop("msg") if "msg" in given else None
        says = self._condition(name, given, at)
        if says is None:
            return None
        return f"assert {says}" + (f", {argument(message)}" if message is not None and code(message) != "None" else "")

    def _cleanup(self, call: cst.Call, at: cst.CSTNode) -> str:
        if not self.cleanups:
            raise Left("addCleanup where pytest would clean up in another order", at)
        self._want("request")
        args = [_plain(one) for one in call.args]
        if not args or call.args[0].star or call.args[0].keyword is not None:
            raise Left("addCleanup of something that is not spelled out", at)
        whole = args[0] if len(args) == 1 else f"functools.partial({', '.join(args)})"
        return f"request.addfinalizer({whole})"

    def _condition(self, name: str, given: Mapping[str, cst.BaseExpression], at: cst.CSTNode) -> str | None:
        parts = list(given.values())
        if name in OPERATORS:
            left, right = (self.source.operand(one) for one in parts)
            return f"{left} {OPERATORS[name]} {right}"
        if name in SAME_TYPE:
            says, literal = SAME_TYPE[name]
            if not any(isinstance(one, getattr(cst, literal)) for one in parts):
                self.notes.append((self.source.line(at), f"{name} also wants both to be {says}; the assert does not"))
            return " == ".join(self.source.operand(one) for one in parts)
        if name in CALLS:
            if name == "assertTrue":
                return self.source.whole(parts[0])
            return CALLS[name].format(
                *(argument(one) for one in parts), **{f"o{n}": self.source.operand(one) for n, one in enumerate(parts)}
            )
        if name in {"assertAlmostEqual", "assertNotAlmostEqual"}:
            return self._almost(name, given, at)
        return None

    def _almost(self, name: str, given: Mapping[str, cst.BaseExpression], at: cst.CSTNode) -> str:
        """``round(a - b, places) == 0`` is ``|a - b| <= 0.5e-places``."""
        sign = "==" if name == "assertAlmostEqual" else "!="
        left, right = self.source.operand(given["first"]), argument(given["second"])
        delta, places = given.get("delta"), given.get("places")
        if delta is not None and code(delta) != "None":
            if isinstance(delta, cst.Integer | cst.Float):
                return f"{left} {sign} pytest.approx({right}, rel=0, abs={code(delta)})"
            order = "<=" if sign == "==" else ">"
            return f"abs({left} - {self.source.operand(given['second'])}) {order} {self.source.operand(delta)}"
        if places is None or code(places) == "None":
            digits = 7
        elif isinstance(places, cst.Integer):
            digits = places.evaluated_value
        else:
            raise Left("the number of places is not spelled out", at)
        return f"{left} {sign} pytest.approx({right}, rel=0, abs=5e-{digits + 1})"

    def leave_SimpleStatementLine(
        self, original_node: cst.SimpleStatementLine, updated_node: cst.SimpleStatementLine
    ) -> cst.BaseStatement:
        """``self.assertRaises(Error, f, x)`` alone on its line is a with statement."""
        one = updated_node.body[0]
        name = check_of(one.value) if isinstance(one, cst.Expr) else None
        if name not in RAISES or len(updated_node.body) != 1:
            return updated_node
        call = cst.ensure_type(cst.ensure_type(one, cst.Expr).value, cst.Call)
        fixed = 2 if name.endswith("Regex") else 1
        if len(call.args) <= fixed or any(arg.star or arg.keyword for arg in call.args[: fixed + 1]):
            raise Left(f"{name} without something to call", original_node)
        with_ = f"with {RAISES[name]}({self._expected(name, call.args[:fixed])}):"
        does = f"{self._callee(call.args[fixed].value)}({', '.join(_plain(arg) for arg in call.args[fixed + 1 :])})"
        made = cst.ensure_type(self.source.parse(f"{with_}\n{self.source.module.default_indent}{does}"), cst.With)
        return made.with_changes(leading_lines=updated_node.leading_lines)

    def _callee(self, node: cst.BaseExpression) -> str:
        text = code(node)
        return f"({text})" if isinstance(node, cst.Lambda) and not own_brackets(node) else text

    def leave_WithItem(self, original_node: cst.WithItem, updated_node: cst.WithItem) -> cst.WithItem:
        name = check_of(updated_node.item)
        if name is None:
            return updated_node
        call = cst.ensure_type(updated_node.item, cst.Call)
        if name == "subTest":
            self._want("subtests")
            self.notes.append((self.source.line(original_node), SUBTESTS))
            return updated_node.with_changes(item=call.with_changes(func=cst.parse_expression("subtests.test")))
        if name in KEPT:
            self.notes.append((self.source.line(original_node), f"{name} stays unittest's own check"))
            return updated_node.with_changes(
                item=call.with_changes(func=cst.parse_expression(f"unittest.TestCase().{name}"))
            )
        if name not in RAISES:
            return updated_node
        if name.startswith("assertWarns") and updated_node.asname is not None:
            raise Left(f"{name} of which the warning is looked at", original_node)
        args = [arg for arg in call.args if arg.keyword is None or arg.keyword.value != "msg"]
        if len(args) < len(call.args):
            self.notes.append((self.source.line(original_node), f"{RAISES[name]} has no msg: it went"))
        if len(args) != (2 if name.endswith("Regex") else 1) or any(arg.star or arg.keyword for arg in args):
            raise Left(f"{name} with arguments that pytest does not have", original_node)
        return updated_node.with_changes(item=cst.parse_expression(f"{RAISES[name]}({self._expected(name, args)})"))

    def _expected(self, name: str, args: Sequence[cst.Arg]) -> str:
        kind = argument(args[0].value)
        return f"{kind}, match={argument(args[1].value)}" if name.endswith("Regex") else kind

    # names

    def leave_Attribute(self, original_node: cst.Attribute, updated_node: cst.Attribute) -> cst.BaseExpression:
        if isinstance(updated_node.value, cst.Name) and updated_node.value.value in self.caught:
            if updated_node.attr.value != "exception":
                raise Left(f"{code(original_node)} of what was raised", original_node)
            return updated_node.with_changes(attr=cst.Name("value"))
        return updated_node

    def _want(self, fixture: str) -> None:
        if fixture not in self.fixtures:
            self.fixtures.append(fixture)


class Leftovers(cst.CSTVisitor):
    """Raises Left where a translated class still leans on TestCase, or hands its tests on as a whole."""

    def __init__(self, source: Source, caught: set[str]) -> None:
        self.source = source
        self.caught = caught
        self._inside: list[cst.CSTNode] = []

    def visit_Attribute(self, node: cst.Attribute) -> bool:
        owner = node.value
        if isinstance(owner, cst.Name) and owner.value in {"self", "cls"}:
            if node.attr.value in API:
                raise Left(f"{owner.value}.{node.attr.value} has no equal here")
            return False
        if isinstance(owner, cst.Name) and owner.value in self.caught and node.attr.value == "value":
            return False
        owner.visit(self)
        return False

    def visit_Param(self, node: cst.Param) -> bool:
        if node.default is not None:
            node.default.visit(self)
        return False

    def visit_AsName(self, node: cst.AsName) -> bool:
        return not (isinstance(node.name, cst.Name) and node.name.value in self.caught)

    def visit_Arg(self, node: cst.Arg) -> bool:
        node.value.visit(self)
        return False

    def visit_Name(self, node: cst.Name) -> None:
        if node.value in {"self", "cls", "super"}:
            raise Left(f"{node.value} is handed on: who gets it may count on TestCase")
        if node.value in self.caught:
            raise Left(f"{node.value} is handed on: pytest's record of it is another thing")


def check_of(node: cst.CSTNode) -> str | None:
    """The name of the check that ``self.name(...)`` calls, by its name of today; None for anything else."""
    if not isinstance(node, cst.Call) or not isinstance(node.func, cst.Attribute) or dotted(node.func.value) != "self":
        return None
    name = OLD_NAMES.get(node.func.attr.value, node.func.attr.value)
    return name if name in API else None


def bound(name: str, call: cst.Call) -> dict[str, cst.BaseExpression]:
    """The arguments of a call by the names of the parameters. Raises Left where they do not fit or are unpacked."""
    if any(arg.star for arg in call.args):
        raise Left(f"the arguments of {name} are unpacked", call)
    plain = [arg.value for arg in call.args if arg.keyword is None]
    named = {arg.keyword.value: arg.value for arg in call.args if arg.keyword is not None}
    try:
        return dict(signature(name).bind(*plain, **named).arguments)
    except (TypeError, AttributeError) as error:
        raise Left(f"{name}: {error}", call) from error


def _plain(arg: cst.Arg) -> str:
    """An argument without the comma and the blanks around it."""
    return code(arg.with_changes(comma=cst.MaybeSentinel.DEFAULT, whitespace_after_arg=cst.SimpleWhitespace("")))


class _Comments(cst.CSTVisitor):
    def __init__(self) -> None:
        self.found: list[str] = []

    def visit_Comment(self, node: cst.Comment) -> None:
        self.found.append(node.value)


def _comments_between(call: cst.Call) -> str:
    """The comments of a call that stand outside its arguments' own text."""
    whole, inside = _Comments(), _Comments()
    call.visit(whole)
    for arg in call.args:
        arg.value.visit(inside)
    kept = list(inside.found)
    return " ".join(one for one in whole.found if one not in kept)
