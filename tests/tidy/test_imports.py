"""Who imports whom: no cycles, the layers of the design, no module that nobody needs, nothing heavy at import."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Collection, Iterator
from pathlib import Path

import grimp
import pytest

from tests.tidy.tree import PACKAGE, ROOT, python_sources

# Modules that nobody needs to import, because people or their tools start here.
ENTRY_POINTS = {"engrain", "engrain.__main__", "engrain.aio", "engrain.shells.cli", "engrain.testing"} | {
    f"engrain.integrations.{name}" for name in ("anthropic_memory", "claude_agent_sdk", "langgraph", "openai_agents")
}
# Each costs a hook or `engrain --help` more than engrain itself does.
HEAVY = {
    "asyncio", "httpx2", "mcp", "numpy", "psycopg", "pydantic", "rich", "sqlite3", "Stemmer", "tokenizers", "typer",
}  # fmt: skip


def build(folder: Path, package: str) -> grimp.ImportGraph:
    """The import graph of a package in a folder, lazy imports included."""
    sys.path.insert(0, str(folder))
    try:
        return grimp.build_graph(package, cache_dir=None, exclude_type_checking_imports=True)
    finally:
        sys.path.remove(str(folder))


def import_time_links(source: Path, package: str) -> dict[str, set[str]]:
    """Module → modules it imports when it is imported itself: imports inside functions and for typing are left out."""
    links: dict[str, set[str]] = {}
    for path in sorted(source.rglob("*.py")):
        parts = [package, *path.relative_to(source).with_suffix("").parts]
        is_package = parts[-1] == "__init__"
        module = ".".join(parts[:-1] if is_package else parts)
        links[module] = set()
        for node in _at_import(ast.parse(path.read_text(encoding="utf-8")).body):
            if isinstance(node, ast.Import):
                links[module] |= {alias.name for alias in node.names}
                continue
            home = module.split(".") if is_package else module.split(".")[:-1]
            base = ".".join([*home[: len(home) - node.level + 1], *(node.module or "").split(".")]).strip(".")
            base = base if node.level else str(node.module)
            links[module] |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
    links = {module: _without_parents(names, links.keys()) for module, names in links.items()}
    return {module: {name for name in names if name in links and name != module} for module, names in links.items()}


def _without_parents(names: set[str], modules: Collection[str]) -> set[str]:
    """`from package import module` wants the module: its package is loaded anyway, as every parent is."""
    wanted = {name for name in names if name in modules}
    return {name for name in wanted if not any(other.rpartition(".")[0] == name for other in wanted)}


def _at_import(body: list[ast.stmt]) -> Iterator[ast.Import | ast.ImportFrom]:
    for node in body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from _at_import(node.orelse)
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            inner = [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt)]
            yield from _at_import(inner)


def cycles(links: dict[str, set[str]]) -> list[str]:
    """One line for each group of modules that import each other in a ring, at import time."""
    reach = {module: _reachable(links, module) for module in links}
    rings = {frozenset({one, *(two for two in reach[one] if one in reach[two])}) for one in links if one in reach[one]}
    return sorted(" <-> ".join(sorted(ring)) for ring in rings)


def _reachable(links: dict[str, set[str]], start: str) -> set[str]:
    seen: set[str] = set()
    todo = list(links[start])
    while todo:
        module = todo.pop()
        if module not in seen:
            seen.add(module)
            todo += links[module]
    return seen


def dead(graph: grimp.ImportGraph, entries: set[str], mentioned: set[str]) -> list[str]:
    """Modules that nothing imports, that are no entry point and that no string names (a table of lazy imports)."""

    def alive(module: str) -> bool:
        public = module in entries or module.startswith("engrain.testing.")
        return public or module in mentioned or bool(graph.find_modules_that_directly_import(module))

    return sorted(
        module for module in graph.modules if not alive(module) and not any(map(alive, graph.find_descendants(module)))
    )


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return build(PACKAGE.parent, "engrain")


def test_no_import_cycles() -> None:
    assert cycles(import_time_links(PACKAGE, "engrain")) == []


def test_no_dead_modules(graph: grimp.ImportGraph) -> None:
    trees = [source.tree for source in python_sources() if source.is_in("src")]
    strings = {node.value for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    mentioned = {text for text in strings if isinstance(text, str) and text.startswith("engrain.")}
    assert dead(graph, ENTRY_POINTS, mentioned) == []


def test_the_layers_hold() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter, "--no-logo", "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_import_engrain_loads_nothing_heavy() -> None:
    code = "import sys; before = set(sys.modules); import engrain; print(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "engrain" in loaded
    assert loaded & HEAVY == set()


def test_help_loads_only_what_the_command_line_needs() -> None:
    """Each of these would double the time that a shell waits for `engrain --help`."""
    code = "import sys; from engrain.shells.cli import main; main(['--help']); print('loaded:', *sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.rpartition("loaded:")[2].split())
    assert "typer" in loaded
    assert loaded & (HEAVY - {"rich", "typer"}) == set()


def write_package(folder: Path, **files: str) -> Path:
    package = folder / "sample"
    package.mkdir()
    (package / "__init__.py").touch()
    for name, text in files.items():
        (package / f"{name}.py").write_text(text)
    return package


def test_a_cycle_is_seen_and_a_lazy_import_is_none(tmp_path: Path) -> None:
    package = write_package(
        tmp_path,
        a="from sample import b\n",
        b="from .c import x\n",
        c="import sample.a\nx = 1\n",
        d="import sample.e\n",
        e="def f():\n    import sample.d\n",
    )
    assert cycles(import_time_links(package, "sample")) == ["sample.a <-> sample.b <-> sample.c"]


def test_a_dead_module_is_seen(tmp_path: Path) -> None:
    write_package(tmp_path, a="import sample.b\n", b="", c="", d="")
    assert dead(build(tmp_path, "sample"), {"sample.a"}, {"sample.d"}) == ["sample.c"]


def test_a_broken_layer_is_seen(tmp_path: Path) -> None:
    write_package(tmp_path, upper="", lower="import sample.upper\n")
    (tmp_path / "setup.cfg").write_text(
        "[importlinter]\nroot_package = sample\n"
        "[importlinter:contract:1]\nname = down\ntype = layers\nlayers =\n    sample.upper\n    sample.lower\n"
    )
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [linter, "--no-logo", "--no-cache"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "sample.lower is not allowed to import sample.upper" in done.stdout
