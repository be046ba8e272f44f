"""What the project shows to the outside stays small and told: public names, the port, the changelog, the package."""

from __future__ import annotations

import ast
import inspect
import re
import sys
import tomllib
from collections.abc import Iterator

import pytest

import engrain
from tests.tidy.tree import PACKAGE, ROOT

PUBLIC_NAMES = 15
PORT_METHODS = 12
SECTIONS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
# Distribution → the modules it brings, where they are called otherwise.
MODULES = {"PyStemmer": {"Stemmer"}, "psycopg": {"psycopg", "psycopg_pool"}}
MODULES |= {
    "openai-agents": {"agents"},
    "claude-agent-sdk": {"claude_agent_sdk"},
    "langgraph-checkpoint": {"langgraph"},
}
MODULES |= {
    name: {name.replace("-", "_")} for name in ("tree-sitter", "tree-sitter-javascript", "tree-sitter-typescript")
}
MODULES |= {"opentelemetry-api": {"opentelemetry"}}
MODULES |= {"httptools": set(), "uvloop": set()}  # uvicorn imports them
# engrain.testing ships suites for pytest and hypothesis; whoever runs them has those.
TEST_TOOLS = {"pytest"}
OWN = sys.stdlib_module_names | {"engrain"}
RELEASE = re.compile(r"## (Unreleased|\d+\.\d+\.\d+ — \d{4}-\d{2}-\d{2})")


def port_methods(text: str) -> list[str]:
    """The methods of the protocol `Store`."""
    classes = [node for node in ast.parse(text).body if isinstance(node, ast.ClassDef) and node.name == "Store"]
    return [node.name for store in classes for node in store.body if isinstance(node, ast.FunctionDef)]


def changelog_complaints(text: str, version: str) -> Iterator[str]:
    """The changelog is a list of releases, newest first, each a set of named sections with one thing a line."""
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines or lines[0] != "# Changelog":
        yield "does not begin with `# Changelog`"
    releases = [line for line in lines if line.startswith("## ")]
    yield from (f"not a release: {line}" for line in releases if not RELEASE.fullmatch(line))
    numbers = re.findall(r"^## (\d+)\.(\d+)\.(\d+)", text, re.MULTILINE)
    ordered = [tuple(map(int, number)) for number in numbers]
    if ordered != sorted(ordered, reverse=True):
        yield "releases are not newest first"
    if releases[:1] != ["## Unreleased"] and not (ordered and ".".join(map(str, ordered[0])) == version):
        yield f"neither `## Unreleased` nor {version} is on top"
    yield from (f"not a section: {line}" for line in lines if line.startswith("### ") and line[4:] not in SECTIONS)
    if not any(line.startswith("- ") for line in lines):
        yield "tells nothing"


def test_few_public_names_and_all_exist() -> None:
    assert 0 < len(engrain.__all__) <= PUBLIC_NAMES
    assert len(set(engrain.__all__)) == len(engrain.__all__)
    for name in engrain.__all__:
        assert hasattr(engrain, name), name


@pytest.mark.parametrize("name", engrain.__all__)
def test_a_public_thing_and_its_methods_are_explained(name: str) -> None:
    thing = getattr(engrain, name)
    if not callable(thing):  # a constant, or a type alias
        return
    assert inspect.getdoc(thing)
    methods = (
        {key: value for key, value in vars(thing).items() if inspect.isfunction(value)}
        if inspect.isclass(thing)
        else {}
    )
    silent = [key for key, method in methods.items() if not key.startswith("_") and not method.__doc__]
    assert silent == [], f"{name} has methods without a docstring"


def test_the_port_is_small() -> None:
    methods = port_methods((PACKAGE / "store" / "port.py").read_text(encoding="utf-8"))
    assert 0 < len(methods) <= PORT_METHODS, methods


def test_the_count_of_the_port_can_exceed() -> None:
    text = "class Store(Protocol):\n" + "".join(f"    def m{n}(self): ...\n" for n in range(13))
    assert len(port_methods(text)) > PORT_METHODS


def test_the_changelog_has_its_shape() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert list(changelog_complaints(text, engrain.__version__)) == []


@pytest.mark.parametrize(
    "text",
    [
        "## 1.0.0 — 2026-01-01\n- x\n",
        "# Changelog\n## 1.0.0 — 2026-01-01\n",
        "# Changelog\n## Version one\n- x\n",
        "# Changelog\n## 0.9.0 — 2026-01-01\n- x\n",
        "# Changelog\n## 1.0.0 — 2026-02-01\n### News\n- x\n",
        "# Changelog\n## Unreleased\n## 0.9.0 — 2026-01-01\n- x\n## 1.0.0 — 2026-01-02\n- y\n",
    ],
)
def test_a_changelog_out_of_shape_is_refused(text: str) -> None:
    assert list(changelog_complaints(text, "1.0.0"))
    assert list(changelog_complaints("# Changelog\n## 1.0.0 — 2026-02-01\n### Added\n- x\n", "1.0.0")) == []


def test_every_dependency_is_imported_and_every_import_is_declared() -> None:
    """A dependency nobody imports is dropped; an import nobody declared breaks on another machine."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [
        one
        for extra, wanted in project["optional-dependencies"].items()
        if extra not in ("dev", "bench")
        for one in wanted
    ]
    names = {re.split(r"[\[<>=]", one)[0] for one in (*project["dependencies"], *extras)} - {"engrain"}
    declared = {module for name in names for module in MODULES.get(name, {name})}
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in sorted(PACKAGE.rglob("*.py"))]
    imported = {name.split(".")[0] for tree in trees for name in imports(tree)}
    assert imported - TEST_TOOLS == declared


def imports(tree: ast.Module) -> Iterator[str]:
    """Absolute third-party modules that a tree imports."""
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [str(node.module)] if isinstance(node, ast.ImportFrom) and not node.level else []
        yield from (name for name in names if name.split(".")[0] not in OWN)
