"""Fixtures of pytest without pytest: a function that makes the thing, called at the head of each test that asks for it.

One that yields becomes a context manager, which the test enters; its end runs among the test's cleanups, as pytest's
finalizers do: last made, first torn down, also when the test fails.
"""

from __future__ import annotations

from collections.abc import Sequence

import libcst as cst

from engrain.patterns.mapping.python_text import (
    Left,
    Source,
    Statement,
    block,
    code,
    dotted,
    jumps,
    names,
    statements,
)  # fmt: skip
from engrain.patterns.mapping.to_checks import ToChecks, checks

BUILT_IN = {"tmp_path": "pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))", "subtests": "", "request": ""}


class Fixture:
    """One fixture of function scope."""

    def __init__(self, source: Source, node: cst.FunctionDef, *, method: bool) -> None:
        self.node = node
        self.method = method
        self.name = node.name.value
        self.autouse = False
        if len(node.decorators) != 1 or node.asynchronous is not None:
            raise Left(f"the fixture {self.name} has more than one decorator, or is asynchronous", node)
        mark = node.decorators[0].decorator
        for arg in mark.args if isinstance(mark, cst.Call) else ():
            word = arg.keyword.value if arg.keyword else ""
            if (word, code(arg.value)) == ("autouse", "True"):
                self.autouse = True
            elif (word, code(arg.value)) not in {("scope", '"function"'), ("autouse", "False")}:
                raise Left(f"the fixture {self.name} has {code(arg).strip(', ')}", node)
        params = [param.name.value for param in node.params.params]
        if method and params[:1] != ["self"]:
            raise Left(f"the fixture {self.name} is no plain method", node)
        self.wants = params[1:] if method else params
        if any(param.default for param in node.params.params) or node.params.kwonly_params:
            raise Left(f"the fixture {self.name} has defaults", node)
        self.parts = statements(node.body)
        self.yields = jumps(self.parts).yields
        if "request" in self.wants and not self.autouse:
            raise Left(f"the fixture {self.name} looks at the request", node)

    def maker(self, source: Source) -> cst.FunctionDef:
        """The function that makes it: ``make_cart``."""
        new = checks(source, self.node) if self.method else self.node
        if "pytest" in names([new.body]).used:
            raise Left(f"the fixture {self.name} uses pytest inside", self.node)
        mark = [cst.Decorator(cst.parse_expression("contextlib.contextmanager"))] if self.yields else []
        return new.with_changes(name=cst.Name(f"make_{self.name}"), decorators=mark)

    def around(self, source: Source, *, method: bool) -> list[cst.FunctionDef]:
        """An autouse fixture as setUp and tearDown."""
        if set(self.wants) - {"request"}:
            raise Left(f"the autouse fixture {self.name} asks for others", self.node)
        places = [n for n, part in enumerate(self.parts) if jumps([part]).yields]
        before, after = self.parts, list[Statement]()
        if self.yields:
            if len(places) != 1 or code(self.parts[places[0]]).strip() != "yield":
                raise Left(f"the autouse fixture {self.name} yields a value, or inside something", self.node)
            before, after = self.parts[: places[0]], self.parts[places[0] + 1 :]
            if jumps(before).returns or names(before).bound & names(after).used:
                raise Left(f"the two halves of {self.name} share a variable, or it returns early", self.node)
        made = []
        for name, parts in (("setUp", before), ("tearDown", after)):
            if parts or (name == "setUp" and not after):
                made.append(_method(source, name, parts, self.node))
        if len(made) > 1:
            made[1] = made[1].with_changes(leading_lines=[cst.EmptyLine(indent=False)])
        return made


class Fixtures:
    """The fixtures that a test can ask for: of its class, then of its module, then pytest's own."""

    def __init__(self, source: Source, nodes: Sequence[cst.FunctionDef], parent: Fixtures | None = None) -> None:
        self.source = source
        self.parent = parent
        self.here = [Fixture(source, one, method=parent is not None) for one in nodes]
        taken = {dotted(one) for one in (getattr(part, "name", None) for part in source.module.body) if one is not None}
        for one in self.here:
            if f"make_{one.name}" in taken | names([source.module]).used:
                raise Left(f"make_{one.name}, the name that {one.name} would get, exists", one.node)

    def find(self, name: str) -> Fixture | None:
        """The fixture of that name."""
        for one in self.here:
            if one.name == name:
                return one
        return self.parent.find(name) if self.parent else None

    def ask(self, wanted: Sequence[str], test: cst.FunctionDef) -> list[Statement]:
        """The lines that make what a test asks for, each thing once, what it rests on first."""
        lines: list[str] = []
        made: set[str] = set()

        def make(name: str, line: tuple[str, ...]) -> None:
            if name in made:
                return
            if name in line:
                raise Left(f"the fixture {name} asks for itself", test)
            one = self.find(name)
            if one is None:
                if name not in BUILT_IN:
                    raise Left(f"the fixture {name} is not in the template", test)
                if BUILT_IN[name]:
                    lines.append(f"{name} = {BUILT_IN[name]}")
            else:
                if one.autouse:
                    raise Left(f"{name} is both autouse and asked for", test)
                for other in one.wants:
                    make(other, (*line, name))
                call = f"{'self.' if one.method else ''}make_{name}({', '.join(one.wants)})"
                lines.append(f"{name} = self.enterContext({call})" if one.yields else f"{name} = {call}")
            made.add(name)

        for name in wanted:
            make(name, ())
        return [self.source.parse(line) for line in lines]


def _method(source: Source, name: str, parts: Sequence[Statement], node: cst.FunctionDef) -> cst.FunctionDef:
    walk = ToChecks(source)
    body = cst.ensure_type(block(parts).visit(walk), cst.IndentedBlock)
    if names([body]).used & {"pytest", "request"} or walk.caught:
        raise Left("something of pytest is left in a fixture", node)
    head = cst.ensure_type(source.parse(f"def {name}(self):\n    pass"), cst.FunctionDef)
    return head.with_changes(body=body)
