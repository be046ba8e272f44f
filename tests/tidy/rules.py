"""The rules of the house for one Python file. Each yields its complaints; test_rules.py shows that each can."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from typing import Any

from tests.tidy.tree import Source

FILE_LINES = 400
FUNCTION_LINES = 60
DRAWERS = {"utils", "util", "helpers", "helper", "common", "misc"}
ENGINES = re.compile("sqlite|postgres|psycopg", re.IGNORECASE)
# Where an engine may be named outside store/, and why.
ENGINE_NAMES_ALLOWED: dict[str, str] = {}
BROAD = {"Exception", "BaseException"}
CLOCKS = {
    "time": {"time", "time_ns", "gmtime", "localtime"},
    "datetime": {"now", "utcnow", "today"},
    "date": {"today"},
    "os": {"urandom", "getrandom"},
}
FORBIDDEN_MODULES = {"uuid", "secrets"}
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")
MACHINE_PATH = re.compile(r"(?<![\w.~:/])/(?:work|tmp|root|home/\w+|Users/\w+)\b/?")

Rule = Callable[[Source], Iterator[str]]


def file_length(source: Source) -> Iterator[str]:
    """A file is at most 400 lines."""
    lines = source.text.count("\n")
    if lines > FILE_LINES:
        yield f"{lines} lines, at most {FILE_LINES}: split it by meaning"


def function_length(source: Source) -> Iterator[str]:
    """A function is at most 60 lines, from `def` to its end."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES:
                yield f"line {node.lineno}: {node.name} has {lines} lines, at most {FUNCTION_LINES}"


def no_drawers(source: Source) -> Iterator[str]:
    """No file is a drawer: a name says what is inside."""
    names = {part.removesuffix(".py").strip("_") for part in source.path.split("/")}
    for name in sorted(names & DRAWERS):
        yield f"a file or folder named {name!r}"


def future_annotations(source: Source) -> Iterator[str]:
    """A module with functions or classes starts with `from __future__ import annotations`."""
    imports = [node for node in source.tree.body if isinstance(node, ast.ImportFrom) and node.module == "__future__"]
    if any(isinstance(node, ast.FunctionDef | ast.ClassDef) for node in source.tree.body) and not imports:
        yield "from __future__ import annotations is missing"


def module_docstring(source: Source) -> Iterator[str]:
    """Every module says in its first line what it is for."""
    if source.text.strip() and not ast.get_docstring(source.tree):
        yield "no module docstring"


def engine_names(source: Source) -> Iterator[str]:
    """Outside store/ no import, name, attribute or string (docstrings apart) says which engine is below."""
    if not source.is_in("src/engrain") or source.is_in("src/engrain/store") or source.path in ENGINE_NAMES_ALLOWED:
        return
    for node in ast.walk(source.tree):
        if id(node) in source.docstrings:
            continue
        for word in _words(node):
            if ENGINES.search(word):
                yield f"line {getattr(node, 'lineno', 0)}: {word!r} names an engine"


def _words(node: ast.AST) -> Iterator[str]:
    """Everything spelled out in one node."""
    match node:
        case ast.Import(names=names):
            yield from (alias.name for alias in names)
        case ast.ImportFrom(module=module, names=names):
            yield from (module or "", *(alias.name for alias in names))
        case ast.Constant(value=str(text)):
            yield text
        case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name):
            yield name
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.keyword(arg=str(name)):
            yield name


def no_silent_except(source: Source) -> Iterator[str]:
    """Whoever catches everything raises again or does something with what was caught."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ExceptHandler) and _is_broad(node.type):
            inside = [inner for statement in node.body for inner in ast.walk(statement)]
            raises = any(isinstance(inner, ast.Raise) for inner in inside)
            uses = any(isinstance(inner, ast.Name) and inner.id in {node.name, "traceback"} for inner in inside)
            if not raises and not uses:
                yield f"line {node.lineno}: catches everything and forgets it"
        if isinstance(node, ast.Call) and _dotted(node.func).endswith("suppress") and any(map(_is_broad, node.args)):
            yield f"line {node.lineno}: suppresses everything"


def _is_broad(kind: ast.expr | None) -> bool:
    kinds = kind.elts if isinstance(kind, ast.Tuple) else [kind]
    return any(one is None or _dotted(one).split(".")[-1] in BROAD for one in kinds)


def _dotted(node: ast.expr) -> str:
    """`a.b.c` of a chain of names; empty for anything else."""
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def world_is_passed_in(source: Source) -> Iterator[str]:
    """Time, ids and randomness come from the world; monotonic clocks and seeded `random.Random(seed)` are free."""
    if not source.is_in("src/engrain") or source.path == "src/engrain/world.py":
        return
    for node in ast.walk(source.tree):
        for name in _from_the_world(node):
            yield f"line {getattr(node, 'lineno', 0)}: {name} outside world.py"


def _from_the_world(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Import(names=names):
            yield from (alias.name for alias in names if alias.name.split(".")[0] in FORBIDDEN_MODULES)
        case ast.ImportFrom(module=str(module), level=0, names=names):
            banned = CLOCKS.get(module, set()) if module != "datetime" else set()
            for alias in names:
                if (
                    module in FORBIDDEN_MODULES
                    or alias.name in banned
                    or (module == "random" and alias.name != "Random")
                ):
                    yield f"{module}.{alias.name}"
        case ast.Call(func=func, args=[], keywords=[]) if _dotted(func).endswith(("random.Random", "default_rng")):
            yield f"unseeded {_dotted(func)}()"
        case ast.Attribute(value=value, attr=attr):
            owner = _dotted(value)
            last = owner.split(".")[-1]
            legacy = owner in {"np.random", "numpy.random"} and attr not in {"default_rng", "Generator"}
            if attr in CLOCKS.get(last, ()) or legacy or (owner == "random" and attr != "Random"):
                yield f"{owner}.{attr}"


def finished(source: Source) -> Iterator[str]:
    """What is not finished is an issue in the tracker, not a note in the code."""
    for number, line in enumerate(source.text.splitlines(), 1):
        if UNFINISHED.search(line):
            yield f"line {number}: {line.strip()}"


def no_machine_paths(source: Source) -> Iterator[str]:
    """No file knows the machine on which it was written."""
    for number, line in enumerate(source.text.splitlines(), 1):
        if not line.startswith("#!") and MACHINE_PATH.search(line):
            yield f"line {number}: {line.strip()}"


def tests_can_fail(source: Source) -> Iterator[str]:
    """Every test asserts something that is not a constant, itself or through what it calls; none uses mocks."""
    if not source.is_in("tests"):
        return
    functions = {node.name: node for node in ast.walk(source.tree) if isinstance(node, _FUNCTIONS)}
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import | ast.ImportFrom) and any("unittest.mock" in word for word in _words(node)):
            yield f"line {node.lineno}: unittest.mock: run the real part"
        if isinstance(node, ast.Assert) and isinstance(node.test, ast.Constant) and node.test.value:
            yield f"line {node.lineno}: asserts a constant"
        if isinstance(node, _FUNCTIONS) and node.name.startswith("test_") and not _checks(node, functions, set()):
            yield f"line {node.lineno}: {node.name} asserts nothing"


_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_CHECK = re.compile(r"(raises|warns|fail|_?check\w*|_?assert\w*|_?expect\w*|run_state_machine\w*)$")


def _checks(function: ast.AST, functions: dict[str, Any], seen: set[str]) -> bool:
    """True when a function asserts, calls something whose name says so, or calls one of its file that does."""
    for node in ast.walk(function):
        if isinstance(node, ast.Assert):
            return True
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
            if _CHECK.match(name):
                return True
            if name in functions and name not in seen and _checks(functions[name], functions, seen | {name}):
                return True
    return False


ALL: list[Rule] = [
    file_length,
    function_length,
    no_drawers,
    future_annotations,
    module_docstring,
    engine_names,
    no_silent_except,
    world_is_passed_in,
    finished,
    tests_can_fail,
]
