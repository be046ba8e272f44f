"""The body of a pytest test in unittest's words: ``assert a == b`` as ``self.assertEqual(a, b)``, and its siblings."""

from __future__ import annotations

import libcst as cst

from engrain.patterns.mapping.asserts import OPERATORS
from engrain.patterns.mapping.python_text import Left, Source, argument, code, dotted, names

CHECKS = {sign: check for check, sign in OPERATORS.items()}
RAISES = {"pytest.raises": ("assertRaises", "assertRaisesRegex"), "pytest.warns": ("assertWarns", "assertWarnsRegex")}
HALVES = {f"5e-{digits + 1}": digits for digits in range(16)} | {f"5e-0{digits + 1}": digits for digits in range(9)}


class ToChecks(cst.CSTTransformer):
    """One test's body. Raises Left where something has no equal; then the whole template is refused."""

    def __init__(self, source: Source) -> None:
        super().__init__()
        self.source = source
        self.caught: set[str] = set()
        self._tries = 0

    def visit_With(self, node: cst.With) -> None:
        for item in node.items:
            if item.asname is not None and self._called(item.item) in RAISES:
                if not isinstance(item.asname.name, cst.Name):
                    raise Left("what was raised is kept elsewhere than in a variable", node)
                self.caught.add(item.asname.name.value)

    def visit_Try(self, node: cst.Try) -> None:
        self._tries += 1

    def leave_Try(self, original_node: cst.Try, updated_node: cst.Try) -> cst.Try:
        self._tries -= 1
        return updated_node

    def visit_ClassDef(self, node: cst.ClassDef) -> bool:
        return False  # what a class of its own asserts it does not check through this test

    def visit_FunctionDef(self, node: cst.FunctionDef) -> bool:
        return not any(param.name.value == "self" for param in node.params.params[:1]) or node.name.value.startswith(
            "test"
        )

    def leave_Assert(self, original_node: cst.Assert, updated_node: cst.Assert) -> cst.BaseSmallStatement:
        text = self._check(updated_node.test, original_node)
        if updated_node.msg is not None:
            text = f"{text[:-1]}, {argument(updated_node.msg)})"
        line = cst.ensure_type(self.source.parse(text), cst.SimpleStatementLine)
        return line.body[0].with_changes(semicolon=updated_node.semicolon)

    def _check(self, test: cst.BaseExpression, at: cst.CSTNode) -> str:
        negated = isinstance(test, cst.UnaryOperation) and isinstance(test.operator, cst.Not)
        inner = test.expression if isinstance(test, cst.UnaryOperation) and negated else test
        if (
            isinstance(inner, cst.Call)
            and not any(arg.star or arg.keyword for arg in inner.args)
            and len(inner.args) == 2
        ):
            one, two = (argument(arg.value) for arg in inner.args)
            if code(inner.func) == "isinstance":
                return f"self.{'assertNotIsInstance' if negated else 'assertIsInstance'}({one}, {two})"
            if code(inner.func) == "re.search":
                return f"self.{'assertNotRegex' if negated else 'assertRegex'}({two}, {one})"
        if isinstance(test, cst.Comparison) and len(test.comparisons) == 1 and not test.lpar:
            return self._comparison(test, at)
        if negated:
            return f"self.assertFalse({argument(inner)})"
        return f"self.assertTrue({argument(test)})"

    def _comparison(self, test: cst.Comparison, at: cst.CSTNode) -> str:
        target = test.comparisons[0]
        sign = " ".join(code(target.operator).split())
        left, right = test.left, target.comparator
        if self._called(left) == "pytest.approx":
            left, right = right, left
        if self._called(right) == "pytest.approx":
            if sign not in {"==", "!="}:
                raise Left("approx outside == and !=", at)
            return self._almost(left, cst.ensure_type(right, cst.Call), sign, at)
        if code(right) == "None" and sign in {"is", "is not"}:
            return f"self.{'assertIsNone' if sign == 'is' else 'assertIsNotNone'}({argument(left)})"
        if sign not in CHECKS:
            return f"self.assertTrue({code(test)})"
        return f"self.{CHECKS[sign]}({argument(left)}, {argument(right)})"

    def _almost(self, left: cst.BaseExpression, approx: cst.Call, sign: str, at: cst.CSTNode) -> str:
        """approx is ``|a - b| <= max(rel * |b|, abs)``, with only abs where only that is given."""
        plain = [arg.value for arg in approx.args if arg.keyword is None]
        named = {arg.keyword.value: arg.value for arg in approx.args if arg.keyword is not None}
        if len(plain) != 1 or set(named) - {"rel", "abs"} or any(arg.star for arg in approx.args):
            raise Left("approx with arguments that assertAlmostEqual does not have", at)
        expected = plain[0]
        if isinstance(expected, cst.List | cst.Dict | cst.Tuple | cst.ListComp | cst.DictComp | cst.Set):
            raise Left("approx of several numbers at once", at)
        check = "assertAlmostEqual" if sign == "==" else "assertNotAlmostEqual"
        rel, absolute = named.get("rel"), named.get("abs")
        head = f"self.{check}({argument(left)}, {argument(expected)}"
        if absolute is not None and (rel is None or code(rel) in {"0", "0.0"}):
            digits = HALVES.get(code(absolute))
            if rel is not None and digits is not None:
                return f"{head})" if digits == 7 else f"{head}, places={digits})"
            return f"{head}, delta={argument(absolute)})"
        if not isinstance(expected, cst.Integer | cst.Float | cst.Name | cst.UnaryOperation):
            raise Left("approx relative to something that would be computed twice", at)
        share = self.source.operand(rel) if rel is not None else "1e-6"
        least = argument(absolute) if absolute is not None else "1e-12"
        return f"{head}, delta=max({share} * abs({argument(expected)}), {least}))"

    def leave_Expr(self, original_node: cst.Expr, updated_node: cst.Expr) -> cst.BaseSmallStatement:
        call = updated_node.value
        name = self._called(call)
        if isinstance(call, cst.Call) and dotted(call.func) == "request.addfinalizer" and len(call.args) == 1:
            return updated_node.with_changes(value=call.with_changes(func=cst.parse_expression("self.addCleanup")))
        if not isinstance(call, cst.Call) or not name.startswith("pytest."):
            return updated_node
        plain = [arg for arg in call.args if arg.keyword is None]
        named = {arg.keyword.value: arg.value for arg in call.args if arg.keyword is not None}
        if name in {"pytest.fail", "pytest.skip"} and len(call.args) <= 1 and set(named) <= {"reason"}:
            if self._tries:
                raise Left(f"{name} inside try: unittest's would be caught by other clauses", original_node)
            value = named.get("reason", plain[0].value if plain else None)
            words = argument(value) if value is not None else ("" if name == "pytest.fail" else '""')
            text = f"self.{'fail' if name == 'pytest.fail' else 'skipTest'}({words})"
        elif name in RAISES and len(plain) > 1 and not any(arg.star for arg in call.args[:2]):
            args = ", ".join(code(arg.with_changes(comma=cst.MaybeSentinel.DEFAULT)) for arg in call.args)
            text = f"self.{RAISES[name][0]}({args})"
        else:
            return updated_node
        line = cst.ensure_type(self.source.parse(text), cst.SimpleStatementLine)
        return line.body[0].with_changes(semicolon=updated_node.semicolon)

    def leave_Raise(self, original_node: cst.Raise, updated_node: cst.Raise) -> cst.BaseSmallStatement:
        """``raise AssertionError(words)`` is what ``self.fail(words)`` does."""
        call = updated_node.exc
        if not isinstance(call, cst.Call) or code(call.func) != "AssertionError" or updated_node.cause is not None:
            return updated_node
        if len(call.args) > 1 or any(arg.star or arg.keyword for arg in call.args):
            return updated_node
        words = argument(call.args[0].value) if call.args else ""
        line = cst.ensure_type(self.source.parse(f"self.fail({words})"), cst.SimpleStatementLine)
        return line.body[0].with_changes(semicolon=updated_node.semicolon)

    def leave_WithItem(self, original_node: cst.WithItem, updated_node: cst.WithItem) -> cst.WithItem:
        call = updated_node.item
        name = self._called(call)
        if not isinstance(call, cst.Call):
            return updated_node
        if dotted(call.func) == "subtests.test":
            return updated_node.with_changes(item=call.with_changes(func=cst.parse_expression("self.subTest")))
        if name not in RAISES:
            return updated_node
        if name == "pytest.warns" and updated_node.asname is not None:
            raise Left("pytest.warns of which the warnings are looked at", original_node)
        plain = [arg.value for arg in call.args if arg.keyword is None]
        named = {arg.keyword.value: arg.value for arg in call.args if arg.keyword is not None}
        kind = plain[0] if plain else named.pop("expected_exception", None)
        if kind is None or len(plain) > 1 or set(named) - {"match"} or any(arg.star for arg in call.args):
            raise Left(f"{name} with arguments that unittest does not have", original_node)
        short, long = RAISES[name]
        text = (
            f"self.{long}({argument(kind)}, {argument(named['match'])})" if named else f"self.{short}({argument(kind)})"
        )
        return updated_node.with_changes(item=cst.parse_expression(text))

    def leave_Attribute(self, original_node: cst.Attribute, updated_node: cst.Attribute) -> cst.BaseExpression:
        if isinstance(updated_node.value, cst.Call) and self._called(updated_node.value) == "unittest.TestCase":
            return updated_node.with_changes(value=cst.Name("self"))
        if isinstance(updated_node.value, cst.Name) and updated_node.value.value in self.caught:
            if updated_node.attr.value != "value":
                raise Left(f"{code(original_node)} of what was raised", original_node)
            return updated_node.with_changes(attr=cst.Name("exception"))
        return updated_node

    def _called(self, node: cst.CSTNode) -> str:
        return self.source.known(node.func) if isinstance(node, cst.Call) else ""


class HandedOn(cst.CSTVisitor):
    """Raises Left where what was raised is used whole: unittest's record of it is another thing than pytest's."""

    def __init__(self, caught: set[str]) -> None:
        self.caught = caught

    def visit_Attribute(self, node: cst.Attribute) -> bool:
        return not (isinstance(node.value, cst.Name) and node.value.value in self.caught)

    def visit_AsName(self, _: cst.AsName) -> bool:
        return False

    def visit_Name(self, node: cst.Name) -> None:
        if node.value in self.caught:
            raise Left(f"{node.value} is handed on: unittest's record of it is another thing")


def checks(source: Source, one: cst.FunctionDef) -> cst.FunctionDef:
    """A test function with its body in unittest's words."""
    walk = ToChecks(source)
    new = cst.ensure_type(one.visit(walk), cst.FunctionDef)
    if walk.caught:
        new.body.visit(HandedOn(walk.caught))
    left = names([new.body]).used & (
        {"pytest"} | {param.name.value for param in one.params.params} & {"request", "subtests"}
    )
    if left:
        raise Left(f"something of {min(left)} is left in it", one)
    return new
