"""Every Python file obeys the rules of the house, and every rule is able to complain."""

from __future__ import annotations

import pytest

from tests.tidy import rules
from tests.tidy.tree import Source, prose_sources, python_sources

HEADER = '"""Doc."""\n\nfrom __future__ import annotations\n\n'

# rule, path, a text it must refuse, a text it must let pass
CASES = [
    (rules.file_length, "src/engrain/a.py", "x = 1\n" * 401, "x = 1\n" * 400),
    (rules.function_length, "tests/a.py", "def f():\n" + "    x = 1\n" * 60, "def f():\n" + "    x = 1\n" * 59),
    (rules.no_drawers, "src/engrain/store/utils.py", "", None),
    (rules.no_drawers, "src/engrain/_helpers/a.py", "", None),
    (rules.future_annotations, "src/engrain/a.py", "def f(): ...\n", HEADER + "def f(): ...\n"),
    (rules.module_docstring, "src/engrain/a.py", "x = 1\n", HEADER),
    (rules.engine_names, "src/engrain/a.py", "import sqlite3\n", '"""Works on SQLite."""\n'),
    (
        rules.engine_names,
        "src/engrain/a.py",
        "from engrain.store import postgres\n",
        "from engrain.store import port\n",
    ),
    (rules.engine_names, "src/engrain/a.py", "if url.startswith('postgresql://'): pass\n", "# SQLite\n"),
    (rules.engine_names, "src/engrain/a.py", "def open_sqlite(): ...\n", "def open_store(): ...\n"),
    (rules.engine_names, "src/engrain/a.py", "error = driver.PsycopgError\n", "error = StoreError\n"),
    (
        rules.no_silent_except,
        "src/engrain/a.py",
        "try:\n    f()\nexcept Exception:\n    pass\n",
        "try:\n    f()\nexcept OSError:\n    pass\n",
    ),
    (
        rules.no_silent_except,
        "src/engrain/a.py",
        "try:\n    f()\nexcept:\n    x = 1\n",
        "try:\n    f()\nexcept Exception as error:\n    note(error)\n",
    ),
    (
        rules.no_silent_except,
        "src/engrain/a.py",
        "with contextlib.suppress(Exception):\n    f()\n",
        "with contextlib.suppress(KeyError):\n    f()\n",
    ),
    (rules.world_is_passed_in, "src/engrain/a.py", "t = time.time()\n", "t = time.monotonic()\n"),
    (rules.world_is_passed_in, "src/engrain/a.py", "t = dt.datetime.now(dt.UTC)\n", "t = world.now()\n"),
    (rules.world_is_passed_in, "src/engrain/a.py", "from time import time\n", "from time import perf_counter\n"),
    (rules.world_is_passed_in, "src/engrain/a.py", "import uuid\n", "from datetime import datetime, date\n"),
    (rules.world_is_passed_in, "src/engrain/a.py", "x = random.random()\n", "x = random.Random(7)\n"),
    (rules.world_is_passed_in, "src/engrain/a.py", "x = random.Random()\n", "def f(rng: random.Random): ...\n"),
    (rules.world_is_passed_in, "src/engrain/a.py", "g = np.random.default_rng()\n", "g = np.random.default_rng(7)\n"),
    (rules.finished, "src/engrain/a.py", "x = 1  # TO" + "DO later\n", "x = 1  # to do is to be\n"),
    (rules.tests_can_fail, "tests/a.py", "def test_a():\n    f()\n", "def test_a():\n    assert f()\n"),
    (
        rules.tests_can_fail,
        "tests/a.py",
        "def run():\n    run()\ndef test_a():\n    run()\n",
        "def run():\n    assert f()\ndef test_a():\n    run()\n",
    ),
    (rules.tests_can_fail, "tests/a.py", "def test_a():\n    assert True\n", "def test_a():\n    check_all(f())\n"),
    (
        rules.tests_can_fail,
        "tests/a.py",
        "from unittest.mock import Mock\n",
        "def test_a():\n    with pytest.raises(KeyError):\n        f()\n",
    ),
    (rules.no_machine_paths, "docs/a.md", "run /wo" + "rk/main/x\n", "run ./work/main/x of https://host/tmp/x\n"),
    (rules.no_machine_paths, "src/a.py", "p = '/tm" + "p/x'\n", "p = 'build/tmp/x'\n"),
]


@pytest.mark.parametrize(
    ("rule", "path", "bad", "good"), CASES, ids=[f"{n}-{c[0].__name__}" for n, c in enumerate(CASES)]
)
def test_the_rule_complains_of_the_bad_and_not_of_the_good(
    rule: rules.Rule, path: str, bad: str, good: str | None
) -> None:
    assert list(rule(Source(path, bad)))
    if good is not None:
        assert list(rule(Source(path, good))) == []


def test_every_python_file_obeys() -> None:
    """All rules in one go: a file is parsed once for them all."""
    complaints = [
        f"{source.path}: {rule.__name__}: {complaint}"
        for source in python_sources()
        for rule in rules.ALL
        for complaint in rule(source)
    ]
    assert complaints == [], "\n" + "\n".join(complaints)


def test_every_rule_has_a_case_that_it_refuses() -> None:
    assert {case[0] for case in CASES} == {*rules.ALL, rules.no_machine_paths}


def test_no_file_knows_a_machine() -> None:
    complaints = [f"{source.path}: {found}" for source in prose_sources() for found in rules.no_machine_paths(source)]
    assert complaints == [], "\n" + "\n".join(complaints)


def test_the_list_of_allowed_engine_names_is_used() -> None:
    """An entry that is not needed any more goes."""
    by_path = {source.path: source for source in python_sources()}
    for path in rules.ENGINE_NAMES_ALLOWED:
        assert path in by_path
        assert rules.ENGINES.search(by_path[path].text), f"{path} names no engine: take it off the list"
