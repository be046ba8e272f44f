"""pytest to unittest. unittest does not run pytest's tests, so a template is translated as a whole or refused."""

from __future__ import annotations

import libcst as cst

from engrain.errors import TranslationRefused
from engrain.patterns.mapping import marks
from engrain.patterns.mapping.asserts import API
from engrain.patterns.mapping.fixtures import Fixture, Fixtures
from engrain.patterns.mapping.import_lines import mend_imports
from engrain.patterns.mapping.python_text import (
    Left,
    Source,
    Statement,
    argument,
    block,
    code,
    dotted,
    jumps,
    names,
    own_brackets,
    statements,
)  # fmt: skip
from engrain.patterns.mapping.to_checks import HandedOn, ToChecks, checks

Notes = list[tuple[int | None, str]]
METHOD_ROUND = {"setup_method": "setUp", "teardown_method": "tearDown"}
CLASS_ROUND = {"setup_class": "setUpClass", "teardown_class": "tearDownClass"}
MODULE_ROUND = {"setup_module": "setUpModule", "teardown_module": "tearDownModule"}
FUNCTION_ROUND = {"setup_function", "teardown_function", "setup", "teardown"}
GATHERED = "TestModule"


def to_unittest(source: Source) -> tuple[str, Notes]:
    """The module in unittest's words. Raises TranslationRefused, with the line, for what unittest cannot say."""
    notes: Notes = []
    try:
        module = _Module(source, notes).translate()
    except Left as why:
        line = source.line(why.node)
        where = f"Line {line} of the template" if line else "The template"
        raise TranslationRefused(f"{where} has no equal in unittest: {why}.") from why
    if code(module) == code(source.module):
        raise TranslationRefused("The template was not translated to unittest: there is nothing of pytest in it.")
    fragment = not source.imported and not any(isinstance(one, cst.ClassDef) for one in module.body)
    mended = mend_imports(source, module, notes, fragment=fragment)
    if "pytest" in names(mended.body).used:
        raise TranslationRefused("The template uses pytest for more than unittest has.")
    return mended.code, notes


class _Module:
    """One template on its way."""

    def __init__(self, source: Source, notes: Notes) -> None:
        self.source = source
        self.notes = notes
        body = source.module.body
        self.functions = [one for one in body if isinstance(one, cst.FunctionDef)]
        self.fixtures = Fixtures(source, [one for one in self.functions if _is_fixture(source, one)])
        self.tests = [one for one in self.functions if one.name.value.startswith("test")]
        self.classes = {
            one.name.value: one for one in body if isinstance(one, cst.ClassDef) and self._is_test_class(one)
        }

    def _is_test_class(self, one: cst.ClassDef) -> bool:
        return one.name.value.startswith("Test") and not any(self.source.known(base.value) for base in one.bases)

    def translate(self) -> cst.Module:
        body = self.source.module.body
        if self.tests and all(_has_self(one) for one in self.tests) and not self.classes:
            return self.source.module.with_changes(body=[self._loose(one) for one in body])
        if not self.tests and not self.classes:
            return self.source.module.with_changes(body=[self._loose(one) for one in body])
        for test in self.tests:
            if test.name.value in names([other for other in body if other is not test]).used:
                raise Left(f"{test.name.value} is also called", test)
        if any(fixture.autouse for fixture in self.fixtures.here) and self.classes:
            raise Left("an autouse fixture of the module, for several classes")
        new: list[cst.CSTNode] = []
        last = self.tests[-1] if self.tests else None
        for one in body:
            if isinstance(one, cst.FunctionDef) and one in self.tests:
                if one is last:
                    new.append(self._gathered())
            elif isinstance(one, cst.ClassDef) and one.name.value in self.classes:
                new.append(self._class(one))
            elif isinstance(one, cst.FunctionDef) and _is_fixture(self.source, one):
                fixture = self.fixtures.find(one.name.value)
                if fixture is not None and not fixture.autouse:
                    new.append(fixture.maker(self.source))
            else:
                new.append(self._other(one))
        return self.source.module.with_changes(body=new)

    def _other(self, one: cst.CSTNode) -> cst.CSTNode:
        if isinstance(one, cst.FunctionDef) and one.name.value in MODULE_ROUND:
            if one.params.params or one.decorators:
                raise Left(f"{one.name.value} with the module as its argument", one)
            return one.with_changes(name=cst.Name(MODULE_ROUND[one.name.value]))
        if isinstance(one, cst.FunctionDef) and one.name.value in {
            "setup_function",
            "teardown_function",
            "setup",
            "teardown",
        }:
            raise Left(f"{one.name.value} before functions", one)
        if isinstance(one, cst.FunctionDef) and one.name.value.startswith("pytest_"):
            raise Left("a hook of pytest", one)
        if isinstance(one, cst.SimpleStatementLine) and "pytestmark" in names([one]).bound:
            raise Left("pytestmark", one)
        if isinstance(one, cst.If) and "__name__" in code(one.test) and "pytest" in names([one]).used:
            parts = statements(one.body)
            if len(parts) == 1 and "pytest.main" in code(parts[0]):
                return one.with_changes(body=block([self.source.parse("unittest.main()")]))
            raise Left("a main of pytest's", one)
        return one

    def _loose(self, one: cst.CSTNode) -> cst.CSTNode:
        """Lines of a test, or methods, without their class."""
        if isinstance(one, cst.FunctionDef):
            if one.name.value.startswith("test"):
                return self._test(one, [], method=True, fixtures=self.fixtures)
            return self._other(one)
        if isinstance(one, cst.ClassDef) or not isinstance(one, cst.BaseStatement | cst.SimpleStatementLine):
            return one
        walk = ToChecks(self.source)
        new = one.visit(walk)
        if walk.caught and isinstance(new, cst.CSTNode):
            new.visit(HandedOn(walk.caught))
        return self._other(new) if isinstance(new, cst.CSTNode) else one

    def _gathered(self) -> cst.ClassDef:
        """The functions of the module as methods of one class, at the place of the last of them."""
        taken = names([self.source.module]).used | {one.name.value for one in self.functions} | set(self.classes)
        name = GATHERED
        while name in taken:
            name += "s"
        auto = [one for one in self.fixtures.here if one.autouse]
        members: list[Statement] = [*self._set_up(auto, method=False)]
        members += [self._test(one, auto, method=False, fixtures=self.fixtures) for one in self.tests]
        members[0] = members[0].with_changes(leading_lines=[])
        lines = [cst.EmptyLine(indent=False), cst.EmptyLine(indent=False)]
        members[1:] = [
            one.with_changes(leading_lines=[cst.EmptyLine(indent=False), *_comments(one)]) for one in members[1:]
        ]
        return cst.ClassDef(
            cst.Name(name), block(members), [cst.Arg(cst.parse_expression("unittest.TestCase"))],
            lpar=cst.LeftParen(), rpar=cst.RightParen(), leading_lines=lines,
        )  # fmt: skip

    def _class(self, one: cst.ClassDef) -> cst.ClassDef:
        for base in one.bases:
            if dotted(base.value) not in self.classes:
                raise Left(f"{one.name.value} has a base that is not of this template", one)
        if one.keywords:
            raise Left("a class with keywords", one)
        decorators = [self._decorator(mark) for mark in one.decorators]
        parts = statements(one.body)
        methods = [part for part in parts if isinstance(part, cst.FunctionDef)]
        defined = {part.name.value for part in methods} | names(parts).bound
        for name in sorted((defined & API) - {"maxDiff", "longMessage"}):
            raise Left(f"{name} means something to TestCase", one)
        if defined & {"__init__", "__new__", "__test__", "pytestmark"} or any(
            isinstance(p, cst.ClassDef) for p in parts
        ):
            raise Left("a class that pytest collects in another way than unittest", one)
        own = [part for part in methods if _is_fixture(self.source, part)]
        fixtures = Fixtures(self.source, own, parent=self.fixtures)
        auto = [fixture for fixture in fixtures.here if fixture.autouse]
        if auto and defined & set(METHOD_ROUND):
            raise Left("a class with both an autouse fixture and setup_method", one)
        if len(self.classes) > 1 and one.bases and (auto or defined & {*METHOD_ROUND, *CLASS_ROUND}):
            raise Left("set-up along a line of classes", one)
        members: list[Statement] = []
        for part in parts:
            if isinstance(part, cst.FunctionDef):
                members += self._method(part, auto, fixtures, bool(defined & set(METHOD_ROUND)))
            else:
                members.append(part)
        bases = one.bases or [cst.Arg(cst.parse_expression("unittest.TestCase"))]
        return one.with_changes(
            body=one.body.with_changes(body=members) if isinstance(one.body, cst.IndentedBlock) else block(members),
            bases=bases, decorators=decorators, lpar=cst.LeftParen(), rpar=cst.RightParen(),
        )  # fmt: skip

    def _method(self, part: cst.FunctionDef, auto: list[Fixture], fixtures: Fixtures, round_: bool) -> list[Statement]:
        name = part.name.value
        if name in METHOD_ROUND or name in CLASS_ROUND:
            wanted = ["classmethod"] if name in CLASS_ROUND else []
            if len(part.params.params) != 1 or [dotted(mark.decorator) for mark in part.decorators] != wanted:
                raise Left(f"{name} that is no plain method", part)
            return [checks(self.source, part).with_changes(name=cst.Name((METHOD_ROUND | CLASS_ROUND)[name]))]
        if name in {"setup", "teardown"}:
            raise Left(f"{name} in the way of nose", part)
        if _is_fixture(self.source, part):
            fixture = fixtures.find(name)
            if fixture is None or (fixture.autouse and fixture is not auto[0]):
                return []
            if fixture.autouse:
                made = self._set_up(auto, method=True)
                return [made[0].with_changes(leading_lines=part.leading_lines), *made[1:]]
            return [fixture.maker(self.source)]
        if name.startswith("test"):
            return [self._test(part, auto, method=True, fixtures=fixtures, round_=round_)]
        if part.decorators and any(self.source.known(mark.decorator).startswith("pytest") for mark in part.decorators):
            raise Left("a mark on what is no test", part)
        return [part]

    def _set_up(self, auto: list[Fixture], *, method: bool) -> list[cst.FunctionDef]:
        """setUp, and tearDown where there is one, for what runs around every test."""
        if not auto:
            return []
        if len(auto) > 1:
            raise Left("several autouse fixtures", auto[1].node)
        return auto[0].around(self.source, method=method)

    def _test(
        self, one: cst.FunctionDef, auto: list[Fixture], *, method: bool, fixtures: Fixtures, round_: bool = False
    ) -> cst.FunctionDef:
        if one.asynchronous is not None or jumps([one.body]).yields:
            raise Left("a test that is asynchronous or yields", one)
        params = [param.name.value for param in one.params.params if param.default is None]
        if one.params.star_kwarg or isinstance(one.params.star_arg, cst.Param) or one.params.kwonly_params:
            raise Left("a test with parameters beyond fixtures", one)
        if method and (not params or params[0] != "self"):
            raise Left("a test of a class that is no plain method", one)
        params = params[1:] if method else params
        kept, tables = self._split(one)
        mocks = _mocks(self.source, one)
        if len(mocks) > len(params):
            raise Left("fewer parameters than mocks", one)
        given, wanted = params[: len(mocks)], params[len(mocks) :]
        heads = {head for table in tables for head in table[0]}
        wanted = [name for name in wanted if name not in heads]
        if any(fixtures.find(head) for head in heads):
            raise Left("parametrize of what is a fixture, too", one)
        for fixture in auto:
            if fixture.name in wanted:
                raise Left(f"{fixture.name} is both autouse and asked for", one)
        if tables and (auto or round_):
            if "self" in names([one.body]).used:
                raise Left("parametrize with a set-up: the cases would share what it made", one)
            self.notes.append((self.source.line(one), f"the cases of {one.name.value} run within one set-up"))
        if "request" in wanted and any(fixture.yields for fixture in auto):
            raise Left("request, whose finalizers would run after tearDown", one)
        head = fixtures.ask(wanted, one)
        if tables and "enterContext" in "".join(code(line) for line in head):
            raise Left("parametrize with a fixture that yields: each case would have to end its own", one)
        new = checks(self.source, one)
        doc = statements(new.body)[:1] if one.get_docstring() is not None else []
        body = [*head, *statements(new.body)[len(doc) :]]
        if tables:
            jump = jumps(body)
            if jump.returns:
                raise Left("a parametrised test that returns early", one)
            body = self._looped(tables, body)
        plain = [param for param in one.params.params if param.name.value in given or param.default is not None]
        params_ = [cst.Param(cst.Name("self")), *(p.with_changes(comma=cst.MaybeSentinel.DEFAULT) for p in plain)]
        return new.with_changes(
            body=new.body.with_changes(body=[*doc, *body]) if isinstance(new.body, cst.IndentedBlock) else block(body),
            params=one.params.with_changes(params=params_), decorators=kept,
        )  # fmt: skip

    def _split(self, one: cst.FunctionDef) -> tuple[list[cst.Decorator], list[tuple[list[str], str]]]:
        """The decorators in unittest's words, and the tables of parametrize, outermost loop first."""
        kept: list[cst.Decorator] = []
        tables: list[tuple[list[str], str]] = []
        for mark in one.decorators:
            call = mark.decorator if isinstance(mark.decorator, cst.Call) else None
            if call is not None and self.source.known(call.func) == "pytest.mark.parametrize":
                tables.append(_table(self.source, call, mark))
            elif dotted(mark.decorator) in {"staticmethod", "classmethod"}:
                raise Left("a test that is no plain method", one)
            else:
                made = self._decorator(mark)
                kept += [made] if made is not None else []
        return kept, tables

    def _decorator(self, mark: cst.Decorator) -> cst.Decorator:
        made = marks.to_unittest(self.source, mark)
        if made is not None:
            return made
        node = mark.decorator.func if isinstance(mark.decorator, cst.Call) else mark.decorator
        name = self.source.known(node)
        if name.startswith("pytest"):
            raise Left(f"{name}, which unittest has not", mark)
        return mark

    def _looped(self, tables: list[tuple[list[str], str]], body: list[Statement]) -> list[Statement]:
        """The cases of parametrize as loops with subTest."""
        heads = [head for names_, _ in tables for head in names_]
        shown = ", ".join(f"{head}={head}" for head in heads)
        inner: Statement = cst.With([cst.WithItem(cst.parse_expression(f"self.subTest({shown})"))], block(body))
        for names_, rows in reversed(tables):
            loop = cst.ensure_type(self.source.parse(f"for {', '.join(names_)} in {rows}:\n    pass"), cst.For)
            inner = loop.with_changes(body=block([inner]))
        return [inner]


def _table(source: Source, call: cst.Call, mark: cst.Decorator) -> tuple[list[str], str]:
    """The names and the rows of a parametrize. Raises Left for what a loop cannot say."""
    plain = [arg.value for arg in call.args if arg.keyword is None]
    named = {arg.keyword.value: arg.value for arg in call.args if arg.keyword is not None}
    heads = plain[0] if plain else named.get("argnames")
    rows = plain[1] if len(plain) > 1 else named.get("argvalues")
    if heads is None or rows is None or set(named) - {"ids", "argnames", "argvalues"} or any(a.star for a in call.args):
        raise Left("parametrize with more than names, values and ids", mark)
    if isinstance(heads, cst.SimpleString):
        text = heads.evaluated_value
        words = [word.strip() for word in str(text).split(",") if word.strip()]
    elif isinstance(heads, cst.Tuple | cst.List):
        words = [str(e.value.evaluated_value) for e in heads.elements if isinstance(e.value, cst.SimpleString)]
        if len(words) != len(heads.elements) or len(words) < 2:
            raise Left("parametrize whose names are not spelled out, or a list of one name", mark)
    else:
        raise Left("parametrize whose names are not spelled out", mark)
    if not words or not all(word.isidentifier() for word in words):
        raise Left("parametrize whose names are none", mark)
    if not isinstance(rows, cst.List | cst.Tuple):
        if "pytest" in names([rows]).used:
            raise Left("parametrize over something of pytest's", mark)
        return words, argument(rows)
    if not rows.elements:
        raise Left("parametrize without cases: pytest skips such a test", mark)
    made = rows.visit(_Params(source, len(words)))
    if not isinstance(made, cst.BaseExpression):
        raise Left("parametrize whose values are none", mark)
    return words, code(made) if own_brackets(rows) else f"({code(made)})"


class _Params(cst.CSTTransformer):
    """``pytest.param(1, 2, id="x")`` as ``(1, 2)``."""

    def __init__(self, source: Source, wide: int) -> None:
        super().__init__()
        self.source = source
        self.wide = wide

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.BaseExpression:
        if self.source.known(original_node.func) != "pytest.param":
            return updated_node
        plain = [arg.value for arg in updated_node.args if arg.keyword is None]
        named = {arg.keyword.value for arg in updated_node.args if arg.keyword is not None}
        if named - {"id"} or len(plain) != self.wide or any(arg.star for arg in updated_node.args):
            raise Left("pytest.param with marks", original_node)
        return plain[0] if self.wide == 1 else cst.parse_expression(f"({', '.join(argument(one) for one in plain)})")


def _mocks(source: Source, one: cst.FunctionDef) -> list[cst.Decorator]:
    """The decorators that hand a mock to the test, as mock.patch does where no replacement is given."""
    found = []
    for mark in one.decorators:
        node = mark.decorator
        call = node if isinstance(node, cst.Call) else None
        name = source.known(call.func if call else node)
        if name.startswith("pytest"):
            continue
        fixed = {"unittest.mock.patch": 1, "unittest.mock.patch.object": 2}.get(name)
        if name in {"unittest.mock.patch.dict", "unittest.mock.patch.multiple"}:
            continue
        if fixed is None or call is None:
            if len(one.params.params) > 1 or (one.params.params and one.params.params[0].name.value != "self"):
                raise Left(f"{code(node)[:60]} may hand something to the test", mark)
            continue
        plain = [arg for arg in call.args if arg.keyword is None]
        if len(plain) <= fixed and not any(arg.keyword is not None and arg.keyword.value == "new" for arg in call.args):
            found.append(mark)
    return found


def _is_fixture(source: Source, one: cst.FunctionDef) -> bool:
    return any(
        source.known(mark.decorator.func if isinstance(mark.decorator, cst.Call) else mark.decorator)
        == "pytest.fixture"
        for mark in one.decorators
    )


def _has_self(one: cst.FunctionDef) -> bool:
    return bool(one.params.params) and one.params.params[0].name.value == "self"


def _comments(one: cst.CSTNode) -> list[cst.EmptyLine]:
    return [line for line in getattr(one, "leading_lines", ()) if line.comment is not None]
