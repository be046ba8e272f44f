"""LangGraph's own tests of stores, as its source archives publish them, run on ours.

Pip fetches the archives when the tests run, into a folder that is thrown away; nothing of them stands here.
Where they make one of LangGraph's stores, they are given ours, in a home of its own; what is about the insides of
theirs is left out by name, with the reason.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
from pathlib import Path

SUITES = ("test_store.py", "test_async_store.py", "test_ttl.py")
ARCHIVES = ("langgraph-checkpoint", "langgraph-checkpoint-sqlite")
# What ours stand in for: the module that a test imports, and what it finds there.
CONFTEST = '''
import contextlib, sys, tempfile, types, unittest.mock
import pytest
import engrain
from engrain.integrations.langgraph import EngrainStore
import langgraph.store.memory

_homes = contextlib.ExitStack()


class Store(EngrainStore):
    """Ours where theirs is made: in a home of its own."""

    def __init__(self, *, index=None, ttl=None, **more):
        if index and "text_fields" in index:
            index = {**index, "fields": index["text_fields"]}
        home = _homes.enter_context(tempfile.TemporaryDirectory())
        memory = _homes.enter_context(engrain.open(home, embedder="hash"))
        super().__init__(memory.agent("theirs"), index=index, ttl=ttl)

    def setup(self): ...
    def sweep_ttl(self): return 0
    def start_ttl_sweeper(self): ...
    def stop_ttl_sweeper(self): ...

    @classmethod
    @contextlib.contextmanager
    def from_conn_string(cls, name, **how):
        yield cls(**how)


class AsyncStore(Store):
    async def setup(self): ...
    async def sweep_ttl(self): return 0
    async def start_ttl_sweeper(self): ...
    async def stop_ttl_sweeper(self): ...

    @classmethod
    @contextlib.asynccontextmanager
    async def from_conn_string(cls, name, **how):
        yield cls(**how)


def _module(name, **parts):
    found = types.ModuleType(name)
    found.__dict__.update(parts)
    sys.modules[name] = found


class _Any:
    """What tests of their insides import."""


langgraph.store.memory.InMemoryStore = Store
_module("langgraph.store.sqlite", SqliteStore=Store, AsyncSqliteStore=AsyncStore)
_module("langgraph.store.sqlite.aio", AsyncSqliteStore=AsyncStore)
_module("langgraph.store.sqlite.base", **dict.fromkeys(
    ("NS_MATCH_FUNCTION", "BaseSqliteStore", "SqliteIndexConfig", "_escape_glob_literal", "_namespace_match_pattern"),
    _Any))
if "pytest_mock" not in sys.modules:
    _module("pytest_mock", MockerFixture=_Any)


@pytest.fixture(autouse=True)
def homes():
    with _homes:
        yield


class Mocker:
    """What these tests use of pytest-mock, which is none of our libraries."""

    stub = staticmethod(unittest.mock.Mock)

    def __init__(self, undo):
        self._undo = undo

    def spy(self, owner, name):
        real = getattr(owner, name)
        return self._undo.enter_context(unittest.mock.patch.object(owner, name, autospec=True, side_effect=real))


@pytest.fixture
def mocker():
    with contextlib.ExitStack() as undo:
        yield Mocker(undo)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    """Coroutines are run without a plug-in."""
    import asyncio, inspect

    if inspect.iscoroutinefunction(pyfuncitem.obj):
        names = pyfuncitem._fixtureinfo.argnames
        asyncio.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}))
        return True
    return None


@pytest.hookimpl(tryfirst=True)
def pytest_fixture_setup(fixturedef, request):
    """So are asynchronous fixtures that only yield."""
    import asyncio, inspect

    if inspect.isasyncgenfunction(fixturedef.func):
        made = fixturedef.func(**{name: request.getfixturevalue(name) for name in fixturedef.argnames})
        value = asyncio.run(anext(made))
        fixturedef.cached_result = (value, fixturedef.cache_key(request), None)
        return value
    return None


def pytest_configure(config):
    config.addinivalue_line("markers", "asyncio: a coroutine")
    config.addinivalue_line("markers", "flaky(retries): of theirs")


def pytest_collection_modifyitems(config, items):
    items[:] = [item for item in items if item.originalname not in LEFT_OUT]
'''
# Test → why it says nothing of a store like ours.
LEFT_OUT = {
    "test_vector_store_initialization": "asks for tables of theirs, or a private name of the in-memory store",
    "test_escape_glob_literal": "how theirs writes SQL",
    "test_namespace_match_pattern": "how theirs writes SQL",
    "test_list_namespaces_prefix_uses_indexable_condition": "how theirs writes SQL",
    "test_nonnull_migrations": "migrations of theirs",
    "test_sql_injection_vulnerability": "a key that theirs refuses as it stands in SQL; ours compares it in Python",
    "test_no_running_loop": "theirs has no synchronous calls in a loop; ours has",
    "test_ttl_refresh": "counts what a sweeper deleted; ours expire by themselves",
    "test_ttl_override_default": "takes it that reading does not refresh, against the default that LangGraph states",
}


def fetch(folder: Path) -> list[Path]:
    """Unpack the suites; the folders in which they stand."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
    command += ["--no-build-isolation", "--disable-pip-version-check", "--dest", str(folder), *ARCHIVES]
    subprocess.run(command, check=True, capture_output=True)
    found = []
    for archive in sorted(folder.glob("*.tar.gz")):
        with tarfile.open(archive) as packed:
            packed.extractall(folder, filter="data")
        found.append(folder / archive.name.removesuffix(".tar.gz"))
        (found[-1] / "tests" / "conftest.py").write_text(f"LEFT_OUT = {list(LEFT_OUT)!r}\n{CONFTEST}", encoding="utf-8")
    return found


def run(suite: Path, *names: str) -> subprocess.CompletedProcess[str]:
    """Run tests of a suite in its own folder and process."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-c",
        "/dev/null",
        "--rootdir",
        str(suite),
    ]
    there = [f"tests/{name}" for name in names if (suite / "tests" / name).exists()]
    return subprocess.run([*command, *there], cwd=suite, capture_output=True, text=True, check=False)


if __name__ == "__main__":  # python -m tests.integrations.published FOLDER: all of them, with what they say
    for one in fetch(Path(sys.argv[1])):
        print(run(one, *SUITES).stdout)
