"""Real functions to find bugs in: the pure and quick functions of the standard library of the Python at hand.

No list was made by hand. A function belongs to the corpus when
1. it is a plain module-level function whose source is there, in a module whose import does nothing but define things;
2. its tree neither reads nor writes anything but its arguments, constants and other such functions (`impurity`);
3. called with synthesised arguments it raises no audit event (no file, import, process, socket), leaves its arguments
   as they were, answers the same twice in one process and in two processes with different hash seeds, is quick, and
   its answers depend on what it was given (`vet`).
"""

from __future__ import annotations

import ast
import builtins
import hashlib
import importlib
import itertools
import sys
import sysconfig
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from engrain.qe.bughunt import mutate, values

IMPURE_NAMES = frozenset((
    "open", "print", "input", "exec", "eval", "compile", "globals", "locals", "vars", "dir", "setattr", "delattr",
    "__import__", "id", "hash", "breakpoint", "help", "exit", "quit", "super",
))  # fmt: skip
IMPURE_MODULES = frozenset((
    "os", "sys", "io", "time", "random", "secrets", "socket", "select", "threading", "subprocess", "signal",
    "tempfile", "shutil", "glob", "pathlib", "posix", "nt", "locale", "gc", "inspect", "warnings", "logging",
    "weakref", "ctypes", "asyncio", "uuid", "getpass", "platform", "importlib", "builtins", "linecache", "tokenize",
))  # fmt: skip
MUTATORS = frozenset((
    "append", "add", "update", "setdefault", "pop", "popitem", "clear", "extend", "insert", "remove", "discard",
    "write", "writelines", "sort", "reverse",
))  # fmt: skip
FORBIDDEN = (ast.Global, ast.Nonlocal, ast.Import, ast.ImportFrom, ast.Await, ast.With, ast.AsyncWith, ast.ClassDef)
MAX_PARAMETERS, MIN_FAULTS, MAX_DEPTH = 4, 4, 3
MIN_REACH = 0.5  # share of the lines that forty synthesised calls must run


@dataclass(frozen=True, slots=True)
class Function:
    """A function of the corpus: where it is, what it takes, and what it is made of."""

    module: str
    name: str
    parameters: tuple[tuple[str, str], ...]  # (name, type of values.TYPES)
    node: ast.FunctionDef = field(compare=False, repr=False)
    mined: dict[str, list[Any]] = field(compare=False, repr=False)  # type -> values in its docstring and source

    @property
    def label(self) -> str:
        return f"{self.module}.{self.name}"

    def build(self, fault: mutate.Fault | None = None) -> Callable[..., Any]:
        """The function compiled from its own source, with the fault in it if one is given."""
        node = self.node if fault is None else mutate.broken(self.node, fault)
        namespace = dict(vars(importlib.import_module(self.module)))
        code = compile(ast.Module([node], []), f"<{self.label}>", "exec")
        exec(code, namespace)  # noqa: S102 - the source is the installed standard library's own
        return namespace[self.name]  # type: ignore[no-any-return]


class Refused(Exception):
    """A function that does not belong to the corpus; the text says which part of the rule it breaks."""


@cache
def source_tree(module: str) -> ast.Module:
    """The tree of a standard library module, read without importing it."""
    return ast.parse(_path(module).read_bytes())


def _path(module: str) -> Path:
    base = Path(sysconfig.get_path("stdlib"), *module.split("."))
    return base / "__init__.py" if base.is_dir() else base.with_suffix(".py")


def modules() -> Iterator[str]:
    """Modules of the standard library with a source of their own, and the modules of its packages."""
    root = Path(sysconfig.get_path("stdlib"))
    for top in sorted(name for name in sys.stdlib_module_names if not name.startswith("_")):
        if (root / top / "__main__.py").exists():  # a program (idlelib, unittest, venv), not a library
            continue
        inner = sorted(path.stem for path in (root / top).glob("[a-z]*.py"))
        yield from (name for name in [top, *(f"{top}.{stem}" for stem in inner)] if _path(name).exists())


def _only_defines(tree: ast.Module) -> bool:
    """No call for its effect at the top level, but of what the module itself defined."""
    own = {s.name for s in tree.body if isinstance(s, (ast.FunctionDef, ast.ClassDef))}
    calls = [s.value.func for s in tree.body if isinstance(s, ast.Expr) and isinstance(s.value, ast.Call)]
    return all(_root(each) in own for each in calls)


def definitions(module: str) -> dict[str, ast.FunctionDef]:
    """The undecorated functions that a module defines at its top level, by name."""
    return {s.name: s for s in source_tree(module).body if isinstance(s, ast.FunctionDef) and not s.decorator_list}


def _locals(node: ast.FunctionDef) -> set[str]:
    names = {each.arg for each in ast.walk(node) if isinstance(each, ast.arg)}
    names |= {each.id for each in ast.walk(node) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)}
    names |= {str(each.name) for each in ast.walk(node) if isinstance(each, (ast.ExceptHandler, ast.FunctionDef))}
    return names


def _root(node: ast.AST) -> str | None:
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def impurity(node: ast.FunctionDef, reach: Callable[[str], str | None] = lambda _: None) -> str | None:
    """Why a function is not pure as far as its tree shows, or None; `reach` judges each global name it uses."""
    known = _locals(node)
    for each in ast.walk(node):
        if isinstance(each, FORBIDDEN):
            return f"uses {type(each).__name__.lower()}"
        if isinstance(each, ast.Name) and each.id not in known:
            why = f"calls {each.id}" if each.id in IMPURE_NAMES | IMPURE_MODULES else reach(each.id)
            if why:
                return why
        method = each.func if isinstance(each, ast.Call) and isinstance(each.func, ast.Attribute) else None
        writes = isinstance(each, (ast.Attribute, ast.Subscript)) and isinstance(each.ctx, (ast.Store, ast.Del))
        root = _root(each) if writes else _root(method) if method and method.attr in MUTATORS else None
        if root is not None and root not in known:
            return f"changes the global {root}"
    return None


def _reach(module: str, depth: int) -> Callable[[str], str | None]:
    """Judge a global name: pure functions of the same library, classes, constants and harmless modules may be used."""
    namespace = vars(importlib.import_module(module))

    def judge(name: str) -> str | None:
        held = namespace.get(name, getattr(builtins, name, None))
        if isinstance(held, types.ModuleType):
            return f"uses the module {held.__name__}" if held.__name__.split(".")[0] in IMPURE_MODULES else None
        made_in = str(getattr(held, "__module__", None)).lstrip("_")
        if isinstance(held, types.BuiltinFunctionType) and made_in in IMPURE_MODULES - {"builtins"}:
            return f"calls {name} of {held.__module__}"  # written in C (setlocale of _locale): no tree to judge it by
        if not isinstance(held, types.FunctionType) or depth >= MAX_DEPTH or held.__module__ not in sys.modules:
            return None
        if held.__module__.split(".")[0] not in sys.stdlib_module_names:
            return None
        try:
            inner = definitions(held.__module__).get(held.__name__)
        except (OSError, SyntaxError):  # frozen or made at run time: calling it will show what it does
            return None
        why = impurity(inner, _reach(held.__module__, depth + 1)) if inner is not None else None
        return f"calls {name}, which {why}" if why else None

    return judge


def _mine(module: str, node: ast.FunctionDef) -> dict[str, list[Any]]:
    """Values by type that the docstring's examples and the source itself mention."""
    found: list[Any] = [each.value for each in ast.walk(node) if isinstance(each, ast.Constant)]
    found += [each.value + 1 for each in ast.walk(node) if isinstance(each, ast.Constant) and type(each.value) is int]
    text = ast.get_docstring(node) or ""
    found = [value for value in found if value != ast.get_docstring(node, clean=False)]
    for line in [*(row.split(">>>")[1] for row in text.splitlines() if ">>>" in row), *text.split("`")[1::2]]:
        try:
            tree: ast.AST = ast.parse(line.strip(), mode="eval")
        except (SyntaxError, ValueError):  # prose, or half of an example: there is nothing to mine in it
            continue
        for each in ast.walk(tree):
            try:
                found.append(ast.literal_eval(each))
            except (ValueError, TypeError, MemoryError):  # a name or a call: only literals are values
                continue
    words = [word.strip("'\"`.,:()") for word in text.split()]
    found += [word for word in words if any(not c.isalpha() for c in word)][:12]
    mined: dict[str, list[Any]] = {}
    for value in found:
        if (kind := values.kind_of(value)) and kind != "bool":
            pool = mined.setdefault(kind, [])
            held = list(value) if isinstance(value, tuple) else value
            if held not in pool:
                pool.append(held)
    for text_value in list(mined.get("str", [])):
        if text_value.isascii() and len(mined.setdefault("bytes", [])) < 12:
            mined["bytes"].append(text_value.encode())
    return mined


def load(module: str, name: str, parameters: list[tuple[str, str]]) -> Function:
    """A function that was vetted before, possibly by another process."""
    node = definitions(module)[name]
    return Function(module, name, tuple((each, kind) for each, kind in parameters), node, _mine(module, node))


def candidates(module: str) -> Iterator[tuple[str, ast.FunctionDef]]:
    """The functions of a module that look pure without importing it, take few arguments and can hold a fault."""
    if not _only_defines(source_tree(module)):
        return
    for name, node in definitions(module).items():
        required = len(node.args.args) - len(node.args.defaults)
        fits = 1 <= required <= MAX_PARAMETERS and not node.args.vararg and not node.args.kw_defaults.count(None)
        if fits and not name.startswith("_") and impurity(node) is None and len(mutate.faults(node)) >= MIN_FAULTS:
            yield name, node


def _choices(node: ast.FunctionDef, rng: Random) -> Iterator[tuple[str, ...]]:
    """Type combinations worth trying: all for up to three required arguments, else a random four hundred."""
    required = len(node.args.args) - len(node.args.defaults)
    tail = [default.value if isinstance(default, ast.Constant) else None for default in node.args.defaults]
    optional = tuple(itertools.takewhile(bool, (values.kind_of(value) for value in tail)))[: MAX_PARAMETERS - required]
    combos = list(itertools.product(_order(node), repeat=required))
    for combo in combos if required < 4 else sorted(rng.sample(combos, 400), key=combos.index):
        yield (*combo, *(str(kind) for kind in optional))


def _order(node: ast.FunctionDef) -> list[str]:
    """The types, the likelier first: a function that divides or knows a fraction means floats."""
    fractions = (isinstance(n, ast.Div) or isinstance(getattr(n, "value", None), float) for n in ast.walk(node))
    return sorted(values.TYPES, key=lambda kind: not kind.startswith("float")) if any(fractions) else list(values.TYPES)


def sample(kinds: tuple[str, ...], mined: dict[str, list[Any]], rng: Random) -> list[Any]:
    """Arguments of the given types from everywhere: random, edges, mined."""
    pools = [(values.draw(kind, rng), *values.EDGES[kind], *mined.get(kind, ())) for kind in kinds]
    return [rng.choice((pool[0], rng.choice(pool), rng.choice(pool[-8:]))) for pool in pools]


Trial = Callable[[Callable[..., Any], list[Any]], str]


def fingerprint(function: Function, trial: Trial) -> str:
    """The answers to thirty synthesised calls; another process must come to the same."""
    rng, kinds = Random(function.label), tuple(kind for _, kind in function.parameters)  # noqa: S311 - a test stream
    built = function.build()
    draws = [sample(kinds, function.mined, rng) for _ in range(30)]
    first, second = ([trial(built, arguments) for arguments in draws] for _ in range(2))
    if first != second:
        raise Refused("answers differently when asked twice")
    if len(set(first)) < 2 or all(a[0] == "!" or a == values.freeze(d[0]) for a, d in zip(first, draws, strict=True)):
        raise Refused("its answers do not depend on what it is given")
    return hashlib.sha256("\n".join(first).encode("utf-8", "surrogatepass")).hexdigest()


def _lines_of(code: types.CodeType) -> set[int]:
    inner = [_lines_of(each) for each in code.co_consts if isinstance(each, types.CodeType)]
    lines = {line for _, _, line in code.co_lines() if line}
    return (lines - {code.co_firstlineno} or lines).union(*inner)


@contextmanager
def _traced(filename: str) -> Iterator[set[int]]:
    """Collect the lines of one file that run meanwhile."""
    reached: set[int] = set()

    def trace(frame: types.FrameType, _event: str, _value: object) -> Any:
        if frame.f_code.co_filename != filename:
            return None
        reached.add(frame.f_lineno)
        return trace

    sys.settrace(trace)
    try:
        yield reached
    finally:
        sys.settrace(None)


def vet(module: str, name: str, trial: Trial) -> Function:
    """The function with its argument types found out by trying; Refused says what part of the rule it breaks.

    `trial` calls under the limits of the sandbox and answers with frozen text ("!Name" for an exception); it raises
    Refused when the call touched the world or changed its arguments.
    """
    node = definitions(module)[name]
    if why := impurity(node, _reach(module, 0)):
        raise Refused(why)
    rng, mined = Random(f"{module}.{name}"), _mine(module, node)  # noqa: S311 - a test stream, no secret
    built, slow = Function(module, name, (), node, mined).build(), list[str]()

    def quality(kinds: tuple[str, ...], calls: int) -> float:
        answers = [trial(built, sample(kinds, mined, rng)) for _ in range(calls)]
        slow.extend(answer for answer in answers if answer == "!OutOfTime")
        if len(slow) > 4:
            raise Refused("is not quick")
        good = [answer for answer in answers if answer[0] != "!"]
        return (len(set(good)) + len(good)) / 2 / calls

    tried = sorted(((quality(kinds, 5), kinds) for kinds in _choices(node, rng)), key=lambda pair: -pair[0])
    scored = []
    for _, kinds in tried[:16]:
        lines = _lines_of(built.__code__)
        with _traced(built.__code__.co_filename) as reached:
            scored.append((quality(kinds, 40), len(reached & lines) / len(lines), kinds))
    most = max(score * reach for score, reach, _ in scored)
    order = _order(node)
    near = [each for each in scored if each[0] * each[1] >= 0.75 * most]
    score, reach, kinds = min(near, key=lambda each: [order.index(kind) for kind in each[2]])
    if score < 0.25 or reach < MIN_REACH:
        raise Refused(
            "no synthesised arguments fit it" if score < 0.25 else "synthesised arguments reach too little of it"
        )
    names = [each.arg for each in node.args.args]
    return Function(module, name, tuple(zip(names, kinds, strict=False)), node, mined)
