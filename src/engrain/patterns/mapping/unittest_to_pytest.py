"""unittest to pytest. A class is translated as a whole or left as it is: pytest runs unittest's classes itself, so what
is left still says what it said."""

from __future__ import annotations

from collections.abc import Sequence

import libcst as cst

from engrain.errors import TranslationRefused
from engrain.patterns.mapping import marks
from engrain.patterns.mapping.asserts import API
from engrain.patterns.mapping.import_lines import mend_imports
from engrain.patterns.mapping.python_text import (
    Left,
    Source,
    Statement,
    block,
    code,
    dotted,
    jumps,
    names,
    own_brackets,
    statements,
)  # fmt: skip
from engrain.patterns.mapping.to_asserts import Leftovers, ToAsserts

CASE = {"unittest.TestCase", "unittest.case.TestCase"}
CLASS_ROUND = {"setUpClass": "setup_class", "tearDownClass": "teardown_class"}
MODULE_ROUND = {"setUpModule": "setup_module", "tearDownModule": "teardown_module"}
Notes = list[tuple[int | None, str]]


def to_pytest(source: Source) -> tuple[str, Notes]:
    """The module in pytest's words, and what was left and why. Raises TranslationRefused where nothing is."""
    notes: Notes = []
    classes = {one.name.value: one for one in source.module.body if isinstance(one, cst.ClassDef)}
    cases = _cases(source, classes)
    if any(isinstance(one, cst.FunctionDef) and one.name.value == "load_tests" for one in source.module.body):
        raise TranslationRefused("load_tests() chooses the tests itself; pytest does not ask it.")
    made: dict[str, cst.ClassDef] = {}
    for family in _families(source, cases):
        try:
            parts = {name: _Case(source, cases[name]) for name in family}
            made |= {name: part.translate(root=not _parents(cases[name], cases)) for name, part in parts.items()}
            notes += [note for part in parts.values() for note in part.notes]
        except Left as why:
            line = source.line(why.node) or source.line(cases[family[0]])
            notes.append((line, f"{', '.join(family)} left as unittest, which pytest runs: {why}"))
    for name, node in classes.items():
        if any(source.known(base.value).endswith("IsolatedAsyncioTestCase") for base in node.bases):
            notes.append((source.line(node), f"{name} left as unittest, which pytest runs: it is asynchronous"))
    fragment = not cases
    body: list[cst.BaseStatement | cst.SimpleStatementLine] = []
    for one in source.module.body:
        if isinstance(one, cst.ClassDef) and one.name.value in made:
            body.append(made[one.name.value])
        elif isinstance(one, cst.ClassDef) and any(source.known(b.value) for b in one.bases) and not cases:
            raise TranslationRefused("The classes of the template are of a kind that pytest would not translate to.")
        else:
            body.append(_top(source, one, notes, fragment))
    module = source.module.with_changes(body=body)
    module = _rename(module, {name: _pytest_name(name) for name in made}, set(classes), notes)
    if code(module) == code(source.module):
        reasons = "; ".join(text for _, text in notes) or "there is nothing of unittest in it"
        raise TranslationRefused(f"The template was not translated to pytest: {reasons}.")
    return mend_imports(source, module, notes, fragment=fragment and not source.imported).code, notes


def _cases(source: Source, classes: dict[str, cst.ClassDef]) -> dict[str, cst.ClassDef]:
    """The classes at the top level that are a TestCase, by themselves or by another of them."""
    found: dict[str, cst.ClassDef] = {}
    for name, one in classes.items():  # in their order: a parent stands before its children
        if any(source.known(base.value) in CASE or dotted(base.value) in found for base in one.bases):
            found[name] = one
    return found


def _parents(one: cst.ClassDef, cases: dict[str, cst.ClassDef]) -> list[str]:
    return [dotted(base.value) for base in one.bases if dotted(base.value) in cases]


def _families(source: Source, cases: dict[str, cst.ClassDef]) -> list[list[str]]:
    """Classes that inherit from each other are translated together or not at all."""
    families: list[list[str]] = []
    for name, one in cases.items():
        parents = set(_parents(one, cases))
        mine = [family for family in families if parents & set(family)]
        families = [family for family in families if family not in mine]
        families.append([*(member for family in mine for member in family), name])
    return families


class _Case:
    """One class on its way."""

    def __init__(self, source: Source, node: cst.ClassDef) -> None:
        self.source = source
        self.node = node
        self.notes: Notes = []
        self.caught: set[str] = set()

    def translate(self, *, root: bool) -> cst.ClassDef:
        node = self.node
        if node.keywords or (
            node.decorators and any(marks.to_pytest(self.source, one) is None for one in node.decorators)
        ):
            raise Left("a decorator or a keyword of the class that is not unittest's", node)
        if len(node.bases) != 1 or (root and self.source.known(node.bases[0].value) not in CASE):
            raise Left("it has other bases, too", node)
        methods = {one.name.value: one for one in statements(node.body) if isinstance(one, cst.FunctionDef)}
        defined = set(methods) | names(statements(node.body)).bound
        for name in sorted((defined & API) - {"setUp", "tearDown", *CLASS_ROUND, "maxDiff", "longMessage"}):
            raise Left(f"{name} means something to TestCase", methods.get(name, node))
        if defined & {
            "__init__",
            "__new__",
            "__test__",
            "set_up",
            "setup_method",
            "teardown_method",
            *CLASS_ROUND.values(),
        }:
            raise Left("it defines a name that means something to pytest", node)
        if not root and set(methods) & {"setUp", "tearDown", *CLASS_ROUND}:
            raise Left("setUp and tearDown along a line of classes", node)
        body: list[Statement] = []
        for one in statements(node.body):
            body += self._member(one, methods)
        new = node.with_changes(
            body=block(body) if not isinstance(node.body, cst.IndentedBlock) else node.body.with_changes(body=body),
            bases=[] if root else node.bases,
            lpar=cst.MaybeSentinel.DEFAULT if root else node.lpar,
            rpar=cst.MaybeSentinel.DEFAULT if root else node.rpar,
            decorators=[marks.to_pytest(self.source, one) for one in node.decorators],
        )
        new.body.visit(Leftovers(self.source, self.caught))
        return new

    def _member(self, one: Statement, methods: dict[str, cst.FunctionDef]) -> list[Statement]:
        if not isinstance(one, cst.FunctionDef):
            if isinstance(one, cst.ClassDef):
                raise Left("a class inside it", one)
            return [one]
        name = one.name.value
        if one.asynchronous is not None:
            raise Left("its tests are asynchronous", one)
        if name == "tearDown" and "setUp" in methods:
            return []
        if name in {"setUp", "tearDown"}:
            return [self._fixture(one, methods)]
        if name in CLASS_ROUND:
            if [dotted(mark.decorator) for mark in one.decorators] != ["classmethod"]:
                raise Left(f"{name} that is no plain classmethod", one)
            return [one.with_changes(name=cst.Name(CLASS_ROUND[name]))]
        return [self._method(one, test=name.startswith("test"), torn="tearDown" in methods)]

    def _fixture(self, one: cst.FunctionDef, methods: dict[str, cst.FunctionDef]) -> cst.FunctionDef:
        """setUp and tearDown as one fixture around every test of the class."""
        up, down = methods.get("setUp"), methods.get("tearDown")
        for part in (up, down):
            if part is not None and (part.decorators or len(part.params.params) != 1 or jumps([part.body]).yields):
                raise Left(f"{part.name.value} is no plain method", part)
        before = statements(up.body) if up else []
        after = statements(down.body) if down else []
        if down is not None:
            if jumps(before).returns or jumps(after).returns:
                raise Left("setUp or tearDown returns early", down)
            if names(before).bound & names(after).used:
                raise Left("setUp and tearDown use one name for different things", down)
        walk = ToAsserts(self.source, cleanups=True)
        parts = [*before, *([self.source.parse("yield"), *after] if down else [])]
        new = cst.ensure_type(one.with_changes(body=block(parts)).visit(walk), cst.FunctionDef)
        self._took(walk)
        if "subtests" in walk.fixtures:
            raise Left("subTest outside a test", one)
        mark = cst.Decorator(cst.parse_expression("pytest.fixture(autouse=True)"))
        return _with_fixtures(new, walk.fixtures).with_changes(name=cst.Name("set_up"), decorators=[mark])

    def _method(self, one: cst.FunctionDef, *, test: bool, torn: bool) -> cst.FunctionDef:
        decorators = [marks.to_pytest(self.source, mark) or mark for mark in one.decorators]
        plain = [mark for mark in one.decorators if marks.to_pytest(self.source, mark) is None]
        if test and any(dotted(mark.decorator) in {"staticmethod", "classmethod"} for mark in plain):
            raise Left("a test that is no plain method", one)
        if test and (not one.params.params or one.params.params[0].name.value != "self"):
            raise Left("a test whose object has another name than self", one)
        if test and jumps([one.body]).yields:
            raise Left("a test that yields", one)
        cases = _parametrised(self.source, one) if test else None
        if cases is not None:
            mark_, one = cases
            decorators.append(mark_)
        walk = ToAsserts(self.source, cleanups=test and not torn)
        new = cst.ensure_type(one.visit(walk), cst.FunctionDef)
        self._took(walk)
        if walk.fixtures and not test:
            raise Left("subTest or addCleanup outside a test", one)
        return _with_fixtures(new, walk.fixtures).with_changes(decorators=decorators)

    def _took(self, walk: ToAsserts) -> None:
        self.notes += walk.notes
        self.caught |= walk.caught


def _with_fixtures(one: cst.FunctionDef, fixtures: Sequence[str]) -> cst.FunctionDef:
    if not fixtures:
        return one
    taken = {param.name.value for param in one.params.params} | names([one.body]).bound
    if taken & set(fixtures) or one.params.star_kwarg or isinstance(one.params.star_arg, cst.Param):
        raise Left(f"a name of it is also that of a fixture: {', '.join(fixtures)}")
    new = [cst.Param(cst.Name(name)) for name in fixtures]
    last = [param.with_changes(comma=cst.MaybeSentinel.DEFAULT) for param in one.params.params]
    return one.with_changes(params=one.params.with_changes(params=[*last, *new]))


def _parametrised(source: Source, one: cst.FunctionDef) -> tuple[cst.Decorator, cst.FunctionDef] | None:
    """A test that is one loop over literal cases with subTest, where no case can notice another; else None."""
    parts = statements(one.body)
    head = parts[:1] if one.get_docstring() is not None else []
    rest = parts[len(head) :]
    if len(rest) != 1 or not isinstance(rest[0], cst.For) or rest[0].orelse or rest[0].asynchronous:
        return None
    loop = rest[0]
    inner = statements(loop.body)
    if len(inner) != 1 or not isinstance(inner[0], cst.With) or len(inner[0].items) != 1 or len(one.params.params) != 1:
        return None
    item = inner[0].items[0]
    if not isinstance(item.item, cst.Call) or dotted(item.item.func) != "self.subTest" or item.asname:
        return None
    body = statements(inner[0].body)
    if jumps(body).returns or jumps(body).breaks:
        return None
    walk = ToAsserts(source, cleanups=False)
    try:
        done = cst.ensure_type(block(body).visit(walk), cst.IndentedBlock)
    except Left:
        return None
    if walk.fixtures or names([done]).used & {"self", "super"}:
        return None
    mark = _cases_of(source, loop)
    if mark is None:
        return None
    params = loop.target.elements if isinstance(loop.target, cst.Tuple) else [loop.target]
    given = [cst.Param(cst.Name(dotted(getattr(param, "value", param) if isinstance(param, cst.Element) else param)))
             for param in params]  # fmt: skip
    own = [param.with_changes(comma=cst.MaybeSentinel.DEFAULT) for param in one.params.params]
    new = one.with_changes(params=one.params.with_changes(params=[*own, *given]), body=block([*head, *body]))
    return mark, new


def _cases_of(source: Source, loop: cst.For) -> cst.Decorator | None:
    if not isinstance(loop.iter, cst.List | cst.Tuple) or not loop.iter.elements or not _constant(loop.iter):
        return None
    rows = code(loop.iter)
    if isinstance(loop.iter, cst.Tuple) and not own_brackets(loop.iter):
        rows = f"({rows})"
    if isinstance(loop.target, cst.Name):
        return cst.Decorator(cst.parse_expression(f'pytest.mark.parametrize("{loop.target.value}", {rows})'))
    if not isinstance(loop.target, cst.Tuple) or not all(isinstance(e.value, cst.Name) for e in loop.target.elements):
        return None
    wide = len(loop.target.elements)
    for row in loop.iter.elements:
        if not isinstance(row.value, cst.Tuple | cst.List) or len(row.value.elements) != wide:
            return None
        if any(isinstance(cell, cst.StarredElement) for cell in row.value.elements):
            return None
    heads = ", ".join(f'"{dotted(element.value)}"' for element in loop.target.elements)
    return cst.Decorator(cst.parse_expression(f"pytest.mark.parametrize(({heads}), {rows})"))


def _constant(node: cst.BaseExpression) -> bool:
    """Whether an expression reads no name but the constants and makes no call: it is the same wherever it stands."""
    calls = any(isinstance(one, cst.Call | cst.Await | cst.NamedExpr) for one in _walk(node))
    return names([node]).used <= {"True", "False", "None"} and not calls


def _walk(node: cst.CSTNode) -> list[cst.CSTNode]:
    out: list[cst.CSTNode] = []
    todo: list[cst.CSTNode] = [node]
    while todo:
        one = todo.pop()
        out.append(one)
        todo += one.children
    return out


def _top(source: Source, one: cst.CSTNode, notes: Notes, fragment: bool) -> cst.BaseStatement:
    """A statement at the top level: hooks of the module, the call of main; in a fragment also the checks themselves."""
    if isinstance(one, cst.FunctionDef) and one.name.value in MODULE_ROUND:
        return one.with_changes(name=cst.Name(MODULE_ROUND[one.name.value]))
    if isinstance(one, cst.If) and "__name__" in code(one.test):
        body = [
            source.parse("raise SystemExit(pytest.main([__file__]))") if _is_main(source, part) else part
            for part in statements(one.body)
        ]
        return one.with_changes(body=block(body))
    if fragment and isinstance(one, cst.SimpleStatementLine | cst.BaseCompoundStatement):
        return _fragment(source, one, notes)
    return one  # type: ignore[return-value]


def _is_main(source: Source, part: Statement) -> bool:
    one = part.body[0] if isinstance(part, cst.SimpleStatementLine) else None
    return (
        isinstance(one, cst.Expr)
        and isinstance(one.value, cst.Call)
        and source.known(one.value.func) == "unittest.main"
    )


def _fragment(source: Source, one: Statement, notes: Notes) -> cst.BaseStatement:
    """Lines of a method, or methods, without their class."""
    if isinstance(one, cst.ClassDef):
        return one
    walk = ToAsserts(source, cleanups=isinstance(one, cst.FunctionDef))
    try:
        new = one.visit(walk)
        if isinstance(one, cst.FunctionDef) and one.name.value in {"setUp", "tearDown", *CLASS_ROUND}:
            raise Left(f"{one.name.value} without its class", one)
        if isinstance(new, cst.CSTNode):
            new.visit(_FragmentLeftovers(source, walk.caught))
        if isinstance(new, cst.FunctionDef):
            marked = [marks.to_pytest(source, mark) or mark for mark in new.decorators]
            new = _with_fixtures(new, walk.fixtures).with_changes(decorators=marked)
        elif walk.fixtures:
            raise Left(f"{', '.join(walk.fixtures)} is a parameter of a test, and there is none", one)
    except Left as why:
        raise TranslationRefused(
            f"Line {source.line(why.node) or source.line(one)} of the template has no equal in pytest: {why}."
        ) from why
    notes += walk.notes
    return new  # type: ignore[return-value]


class _FragmentLeftovers(Leftovers):
    """In a fragment ``self`` may be handed on, as nothing says that it is a TestCase."""

    def visit_Name(self, node: cst.Name) -> None:
        if node.value in self.caught:
            super().visit_Name(node)


def _pytest_name(name: str) -> str:
    """A name that pytest collects: it begins with Test."""
    if name.startswith("Test"):
        return name
    for end in ("TestCase", "Tests", "Test", "Case"):
        if name.endswith(end) and name != end:
            return f"Test{name.removesuffix(end)}"
    return f"Test{name}"


class _Renamer(cst.CSTTransformer):
    def __init__(self, new: dict[str, str]) -> None:
        super().__init__()
        self.new = new

    def leave_Name(self, original_node: cst.Name, updated_node: cst.Name) -> cst.Name:
        return updated_node.with_changes(value=self.new.get(updated_node.value, updated_node.value))


def _rename(module: cst.Module, new: dict[str, str], taken: set[str], notes: Notes) -> cst.Module:
    changed = {old: name for old, name in new.items() if old != name}
    used = names([module]).used | taken
    for old, name in list(changed.items()):
        if name in used or list(changed.values()).count(name) > 1:
            changed[old] = f"Test{old}"
        if changed[old] in used:
            raise TranslationRefused(f"{old} would have to be named {changed[old]}, which exists.")
        notes.append((None, f"{old} is named {changed[old]}: pytest collects classes that begin with Test"))
    return cst.ensure_type(module.visit(_Renamer(changed)), cst.Module) if changed else module
