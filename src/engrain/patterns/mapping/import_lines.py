"""The imports of a translated module: what it needs comes in, what nobody reads any more goes."""

from __future__ import annotations

import libcst as cst

from engrain.patterns.mapping.python_text import Source, dotted, names

FRAMEWORKS = {"unittest", "pytest"}
NEEDED = ("contextlib", "functools", "os", "pathlib", "pytest", "re", "tempfile", "unittest")
MEMBERS = {"TestCase", "main", "skip", "skipIf", "skipUnless", "expectedFailure", "SkipTest", "IsolatedAsyncioTestCase"}


def mend_imports(
    source: Source, module: cst.Module, notes: list[tuple[int | None, str]], *, fragment: bool
) -> cst.Module:
    """The module with its imports in order. A fragment gets none; a note says which it needs where it is put."""
    used = _used(module)
    missing = [name for name in NEEDED if name in used and name not in source.imported]
    if "mock" in used and "mock" not in source.imported and "unittest.mock" not in _imported(module):
        missing.append("unittest.mock")
    fresh = [name for name in missing if name not in _used(source.module) or name in FRAMEWORKS]
    if fragment:
        if fresh:
            notes.append((None, f"it needs: {', '.join(_line(name) for name in fresh)}"))
        return module
    body: list[cst.BaseStatement | cst.SimpleStatementLine] = []
    gone = FRAMEWORKS | (set(NEEDED) & _used(source.module))  # what only the translated lines read
    first = last = _after_head(module)
    seen = False
    for one in module.body:
        kept = _kept(one, used, module, gone)
        if _is_import(one) and not seen:
            first, seen = len(body), True
        if kept is not None:
            body.append(kept)
        if _is_import(one):
            last = len(body)
    late = [_parsed(source, name) for name in fresh if name == "pytest"]
    early = [name for name in sorted(fresh) if name != "pytest"]
    if late and (early or last > first):
        late = [late[0].with_changes(leading_lines=[cst.EmptyLine(indent=False)])]
    body[max(last, first) : max(last, first)] = late
    for name in reversed(early):
        _put(source, body, name, first)
    made = module.with_changes(body=body)
    return made if fresh or len(body) == len(module.body) else _blank_first(made)


def _put(source: Source, body: list[cst.BaseStatement | cst.SimpleStatementLine], name: str, first: int) -> None:
    """A new import among the first group of them, in the order of the alphabet."""
    place = first
    while place < len(body) and _is_import(body[place]) and (place == first or not _spaced(body[place])):
        part = body[place].body[0]  # type: ignore[union-attr]
        if not isinstance(part, cst.Import) or dotted(part.names[0].name) > name:
            break
        place += 1
    line = _parsed(source, name)
    if place == first < len(body) and _is_import(body[place]):
        line = line.with_changes(leading_lines=body[place].leading_lines)  # type: ignore[union-attr]
        body[place] = body[place].with_changes(leading_lines=[])
    body.insert(place, line)


def _spaced(one: cst.CSTNode) -> bool:
    return bool(getattr(one, "leading_lines", ()))


def _parsed(source: Source, name: str) -> cst.SimpleStatementLine:
    return cst.ensure_type(source.parse(_line(name)), cst.SimpleStatementLine)


def _used(module: cst.Module) -> set[str]:
    """The names that are read outside import lines."""
    outside: list[cst.CSTNode] = []
    for one in module.body:
        if not _is_import(one):
            outside.append(one)
    return names(outside).used


def _line(name: str) -> str:
    return "from unittest import mock" if name == "unittest.mock" else f"import {name}"


def _is_import(one: cst.CSTNode) -> bool:
    if not isinstance(one, cst.SimpleStatementLine):
        return False
    first = one.body[0]
    if isinstance(first, cst.ImportFrom) and first.module is not None and dotted(first.module) == "__future__":
        return False
    return isinstance(first, cst.Import | cst.ImportFrom)


def _imported(module: cst.Module) -> set[str]:
    lines = [part for one in module.body if isinstance(one, cst.SimpleStatementLine) for part in one.body]
    return {dotted(name.name) for part in lines if isinstance(part, cst.Import) for name in part.names}


class _Mocks(cst.CSTVisitor):
    """Whether ``unittest`` is read for more than its mocks."""

    def __init__(self) -> None:
        self.more = self.mocks = False

    def visit_Attribute(self, node: cst.Attribute) -> bool:
        whole = dotted(node)
        if whole.startswith("unittest."):
            self.mocks |= whole.startswith("unittest.mock")
            self.more |= not whole.startswith("unittest.mock")
            return False
        return True

    def visit_Name(self, node: cst.Name) -> None:
        self.more |= node.value == "unittest"

    def visit_Import(self, _: cst.Import) -> bool:
        return False

    def visit_ImportFrom(self, _: cst.ImportFrom) -> bool:
        return False


def _kept(one: cst.CSTNode, used: set[str], module: cst.Module, gone: set[str]) -> cst.SimpleStatementLine | None:
    """An import line without what nobody reads; None when nothing of it is left. Other statements stay."""
    if not _is_import(one) or not isinstance(one, cst.SimpleStatementLine) or len(one.body) != 1:
        return one  # type: ignore[return-value]
    part = one.body[0]
    if isinstance(part, cst.Import):
        left = [name for name in part.names if not _needless(name, used, gone)]
    elif isinstance(part, cst.ImportFrom) and not isinstance(part.names, cst.ImportStar):
        if part.module is None or dotted(part.module) != "unittest":
            return one
        left = [
            name for name in part.names
            if dotted(name.name) not in MEMBERS or dotted(name.asname.name if name.asname else name.name) in used
        ]  # fmt: skip
    else:
        return one
    if not left:
        return None
    if isinstance(part, cst.Import):
        left = [_narrowed(name, module) for name in left]
    left[-1] = left[-1].with_changes(comma=cst.MaybeSentinel.DEFAULT)
    return one.with_changes(body=[part.with_changes(names=left)])


def _needless(name: cst.ImportAlias, used: set[str], gone: set[str]) -> bool:
    bound = dotted(name.asname.name) if name.asname else dotted(name.name)
    return dotted(name.name) in gone and bound not in used


def _narrowed(name: cst.ImportAlias, module: cst.Module) -> cst.ImportAlias:
    """``import unittest`` for the sake of its mocks alone says so."""
    if dotted(name.name) != "unittest" or name.asname is not None:
        return name
    look = _Mocks()
    module.visit(look)
    if look.mocks and not look.more:
        return name.with_changes(name=cst.parse_expression("unittest.mock"))
    return name


def _after_head(module: cst.Module) -> int:
    """Behind the docstring and the imports from __future__."""
    place = 0
    for one in module.body:
        part = one.body[0] if isinstance(one, cst.SimpleStatementLine) else None
        text = isinstance(part, cst.Expr) and isinstance(part.value, cst.SimpleString | cst.ConcatenatedString)
        future = isinstance(part, cst.ImportFrom) and part.module is not None and dotted(part.module) == "__future__"
        if not (text or future):
            break
        place += 1
    return place


def _blank_first(module: cst.Module) -> cst.Module:
    """Without the empty lines that stood between an import that went and the code."""
    if not module.body or module.header:
        return module
    first = module.body[0]
    lines = list(getattr(first, "leading_lines", ()))
    while lines and lines[0].comment is None:
        lines.pop(0)
    return module.with_changes(body=[first.with_changes(leading_lines=lines), *module.body[1:]])
