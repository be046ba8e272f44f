"""Python source as a tree that keeps every blank and comment (libcst), and small pieces of it."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterable, Sequence

from engrain.errors import ConfigError, TranslationRefused
from engrain.patterns.mapping.placeholders import Hidden

try:
    import libcst as cst
    from libcst.metadata import MetadataWrapper, PositionProvider
except ImportError as missing:
    raise ConfigError("To translate Python patterns libcst is needed: pip install 'engrain[patterns]'.") from missing

DEPTH = 120  # of nested syntax: the parser below is native and would end the process where Python says no
Statement = cst.SimpleStatementLine | cst.BaseCompoundStatement


class Left(Exception):
    """This piece cannot be translated; its text says why."""

    def __init__(self, why: str, node: cst.CSTNode | None = None) -> None:
        super().__init__(why)
        self.node = node


class Source:
    """A parsed module with line numbers, and the names that its imports gave to things of test frameworks."""

    def __init__(self, hidden: Hidden) -> None:
        self.hidden = hidden
        text = hidden.text
        try:
            with warnings.catch_warnings(action="ignore"):
                tree = ast.parse(text)
            deep = _depth(tree)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise TranslationRefused(f"The template is not Python: {str(error)[:200]}.") from error
        if deep > DEPTH:
            raise TranslationRefused("The template is nested too deeply to be translated; split it.")
        try:
            wrapper = MetadataWrapper(cst.parse_module(text), unsafe_skip_copy=True)
            self.module = wrapper.module
            self.positions = wrapper.resolve(PositionProvider)
        except (cst.ParserSyntaxError, RecursionError, UnicodeError, ValueError) as error:
            raise TranslationRefused(f"The template is not Python: {str(error)[:200]}.") from error
        self.aliases = {"unittest": "unittest", "pytest": "pytest", "mock": "unittest.mock"}
        self.aliases |= {name: f"unittest.{name}" for name in ("TestCase", "IsolatedAsyncioTestCase")}
        self.imported: set[str] = set()
        for statement in imports(self.module):
            self._learn(statement)

    def _learn(self, statement: cst.Import | cst.ImportFrom) -> None:
        if isinstance(statement, cst.Import):
            for one in statement.names:
                whole = dotted(one.name)
                bound = dotted(one.asname.name) if one.asname else whole.split(".")[0]
                self.aliases[bound] = whole if one.asname else bound
                self.imported.add(bound)
            return
        if isinstance(statement.names, cst.ImportStar):
            return
        origin = "." * len(statement.relative) + (dotted(statement.module) if statement.module else "")
        for one in statement.names:
            bound = dotted(one.asname.name) if one.asname else dotted(one.name)
            self.aliases[bound] = f"{origin}.{dotted(one.name)}"
            self.imported.add(bound)

    def known(self, node: cst.CSTNode) -> str:
        """The full name of what a dotted name means: ``unittest.TestCase`` for ``TestCase``; empty for the rest."""
        parts = dotted(node).split(".")
        return ".".join([self.aliases[parts[0]], *parts[1:]]) if parts[0] in self.aliases else ""

    def line(self, node: cst.CSTNode | None) -> int | None:
        """The line of a node of the original tree."""
        where = self.positions.get(node) if node is not None else None
        return where.start.line if where is not None else None

    def parse(self, statement: str) -> Statement:
        """A statement in the indentation and line ends of the module."""
        return cst.parse_statement(statement, config=self.module.config_for_parsing)

    def operand(self, node: cst.BaseExpression) -> str:
        """An expression as the operand of a comparison or ``not``: in brackets where it binds less, spans lines or is a
        placeholder, of which nobody knows with what it will be filled."""
        loose = isinstance(node, LOOSE) or (isinstance(node, cst.Name) and self.hidden.is_one(node.value))
        text = code(node)
        if not own_brackets(node) and (loose or "\n" in text):
            return f"({text})"
        return text

    def whole(self, node: cst.BaseExpression) -> str:
        """An expression that stands alone, after ``assert`` for instance."""
        text = code(node)
        naked = isinstance(node, cst.NamedExpr | cst.GeneratorExp | cst.Yield | cst.Tuple)
        return f"({text})" if not own_brackets(node) and (naked or "\n" in text) else text


LOOSE = (
    cst.Lambda, cst.IfExp, cst.BooleanOperation, cst.Comparison, cst.NamedExpr, cst.GeneratorExp, cst.Yield, cst.Tuple,
)  # fmt: skip


def own_brackets(node: cst.BaseExpression) -> bool:
    """Whether the expression stands in brackets of its own."""
    if isinstance(node, cst.List | cst.Dict | cst.Set | cst.ListComp | cst.DictComp | cst.SetComp):
        return True
    return bool(node.lpar)


def argument(node: cst.BaseExpression) -> str:
    """An expression as an argument of a call: without brackets that only an operand needed."""
    naked = isinstance(node, cst.Tuple | cst.Yield | cst.GeneratorExp | cst.NamedExpr)
    text = code(node)
    if len(node.lpar) == 1 and not naked and "#" not in text and not isinstance(node, cst.ConcatenatedString):
        text = code(node.with_changes(lpar=[], rpar=[]))
    return f"({text})" if naked and not node.lpar else text


def code(node: cst.CSTNode) -> str:
    """The text of a node."""
    return cst.Module([]).code_for_node(node)


def dotted(node: cst.CSTNode) -> str:
    """``a.b.c`` of a chain of names; empty for anything else."""
    if isinstance(node, cst.Attribute):
        before = dotted(node.value)
        return f"{before}.{node.attr.value}" if before else ""
    return node.value if isinstance(node, cst.Name) else ""


def imports(module: cst.Module) -> list[cst.Import | cst.ImportFrom]:
    """The imports at the top level of a module."""
    lines = [one for one in module.body if isinstance(one, cst.SimpleStatementLine)]
    return [part for line in lines for part in line.body if isinstance(part, cst.Import | cst.ImportFrom)]


def statements(body: cst.BaseSuite) -> list[Statement]:
    """The statements of a block, also of one that stands on the line of its head."""
    if isinstance(body, cst.IndentedBlock):
        return [one for one in body.body if isinstance(one, cst.SimpleStatementLine | cst.BaseCompoundStatement)]
    return [cst.SimpleStatementLine([part]) for part in body.body if isinstance(part, cst.BaseSmallStatement)]


def block(parts: Sequence[Statement]) -> cst.IndentedBlock:
    """A block of statements."""
    return cst.IndentedBlock(list(parts) or [cst.SimpleStatementLine([cst.Pass()])])


class Names(cst.CSTVisitor):
    """The names that a piece of code reads and binds, without names of attributes and of keywords."""

    def __init__(self) -> None:
        self.used: set[str] = set()
        self.bound: set[str] = set()

    def visit_Attribute(self, node: cst.Attribute) -> bool:
        node.value.visit(self)
        return False

    def visit_Arg(self, node: cst.Arg) -> bool:
        node.value.visit(self)
        return False

    def visit_Name(self, node: cst.Name) -> None:
        self.used.add(node.value)

    def visit_AssignTarget(self, node: cst.AssignTarget) -> None:
        self._bind(node.target)

    def visit_AnnAssign(self, node: cst.AnnAssign) -> None:
        self._bind(node.target)

    def visit_AugAssign(self, node: cst.AugAssign) -> None:
        self._bind(node.target)

    def visit_AsName(self, node: cst.AsName) -> None:
        self._bind(node.name)

    def visit_For(self, node: cst.For) -> None:
        self._bind(node.target)

    def visit_NamedExpr(self, node: cst.NamedExpr) -> None:
        self._bind(node.target)

    def _bind(self, target: cst.CSTNode) -> None:
        if isinstance(target, cst.Name):
            self.bound.add(target.value)
        elif isinstance(target, cst.Tuple | cst.List):
            for element in target.elements:
                self._bind(element.value)


def names(nodes: Iterable[cst.CSTNode]) -> Names:
    """The names of several pieces together."""
    found = Names()
    for node in nodes:
        node.visit(found)
    return found


class _Jumps(cst.CSTVisitor):
    """Whether code leaves the function or the loop it stands in."""

    def __init__(self) -> None:
        self.returns = self.breaks = self.yields = False
        self._loops = 0

    def visit_FunctionDef(self, _: cst.FunctionDef) -> bool:
        return False

    def visit_Lambda(self, _: cst.Lambda) -> bool:
        return False

    def visit_ClassDef(self, _: cst.ClassDef) -> bool:
        return False

    def visit_Return(self, _: cst.Return) -> None:
        self.returns = True

    def visit_Yield(self, _: cst.Yield) -> None:
        self.yields = True

    def visit_For(self, _: cst.For) -> None:
        self._loops += 1

    def leave_For(self, original_node: cst.For) -> None:
        self._loops -= 1

    def visit_While(self, _: cst.While) -> None:
        self._loops += 1

    def leave_While(self, original_node: cst.While) -> None:
        self._loops -= 1

    def visit_Break(self, _: cst.Break) -> None:
        self.breaks |= not self._loops

    def visit_Continue(self, _: cst.Continue) -> None:
        self.breaks |= not self._loops


def jumps(nodes: Iterable[cst.CSTNode]) -> _Jumps:
    """Whether the pieces return, yield, or break out of a loop around them."""
    found = _Jumps()
    for node in nodes:
        node.visit(found)
    return found


def _depth(tree: ast.AST) -> int:
    """How deeply the syntax is nested, found without recursion."""
    level: list[ast.AST] = [tree]
    deep = 0
    while level:
        level = [child for node in level for child in ast.iter_child_nodes(node)]
        deep += 1
    return deep


def free(parts: Sequence[Statement], name: str) -> bool:
    """Whether a name is bound nowhere among the statements."""
    return name not in names(parts).bound
