"""Leaving and coming back through kills and faults, and forgetting everything to the last byte."""

from __future__ import annotations

import json
import os
import pty
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from engrain import Outcome
from engrain.agent import Agent
from engrain.exchange import incoming
from engrain.testing import SimulatedWorld
from tests import children
from tests.postgres import Place

IMPORT = """
import engrain
memory = engrain.open(**given["place"], embedder="hash")
agent = memory.agent("a")
agent.import_from(given["file"], progress=lambda done, total: say(done))
memory.close()
"""


def exported(agent: Agent) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(b"".join(agent.export_data("json")))["items"]
    return rows


def unseen(agent: Agent) -> tuple[Any, ...]:
    """What an agent has, but for what changes when others are shown it."""
    kept = [{n: v for n, v in row.items() if n not in ("shown", "last_shown_at")} for row in exported(agent)]
    return kept, agent.q_values(), agent.experiences()


def rows(number: int) -> list[dict[str, Any]]:
    """Items of every state that depend on each other."""
    found = []
    for at in range(0, number, 3):
        told = {"kind": "fact", "key": f"k{at}", "told_at": "2026-01-01T00:00:00+00:00", "shown": 2}
        found += [
            {**told, "id": f"n{at}", "content": f"the current value number {at} is stored", "visibility": "public"},
            {**told, "id": f"o{at}", "content": f"older value {at}", "state": "superseded", "superseded_by": f"n{at}"},
            {**told, "id": f"r{at}", "content": f"an archived value {at}", "state": "archived", "repeats": 1,
             "echoes": [{"at": "2026-01-02T00:00:00+00:00", "session": "s"}]},
        ]  # fmt: skip
    return found


def write(path: Path, lines: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


@pytest.mark.slow
def test_an_import_that_was_killed_is_simply_run_again(make_place: Callable[..., Place], tmp_path: Path) -> None:
    path = write(tmp_path / "mem.jsonl", rows(1500))
    clean, broken = make_place(), make_place()
    assert children.run(IMPORT, {"place": clean.arguments, "file": str(path)})[-1] == 1500
    process = children.spawn(IMPORT, {"place": broken.arguments, "file": str(path)})
    while children.hear(process) < 400:
        pass
    children.kill(process)
    agent = broken.open().agent("a")
    assert 400 <= len(exported(agent)) < 1500
    came = agent.import_from(path)
    assert came.imported + came.skipped == 1500
    assert exported(agent) == exported(clean.open().agent("a"))
    assert len(agent.recall("the current value number 1497 is stored")) == 10


def test_two_processes_that_import_the_same_double_nothing(place: Place, tmp_path: Path) -> None:
    path = write(tmp_path / "mem.jsonl", [*rows(300), *({"content": f"without an id {n}"} for n in range(300))])
    place.open().close()
    both = [children.spawn(IMPORT, {"place": place.arguments, "file": str(path)}) for _ in range(2)]
    assert [children.said(one)[-1] for one in both] == [600, 600]
    found = exported(place.open().agent("a"))
    assert len(found) == len({row["content"] for row in found}) == 600


class Broken(Exception):
    """A fault that a test has made."""


@contextmanager
def faulty(agent: Agent, after: int) -> Iterator[None]:
    """The store fails at the n-th statement of its transactions."""
    store = agent._memory.store
    real, left = store.transaction, [after]

    class Faulty:
        def __init__(self, tx: Any) -> None:
            self._tx = tx

        def __getattr__(self, name: str) -> Any:
            left[0] -= 1
            if left[0] == 0:
                raise Broken
            return getattr(self._tx, name)

    @contextmanager
    def transaction(tenant: str) -> Iterator[Any]:
        with real(tenant) as tx:
            yield Faulty(tx)

    store.transaction = transaction  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        store.transaction = real  # type: ignore[method-assign]


def test_a_fault_at_any_statement_loses_and_doubles_nothing(
    make_place: Callable[..., Place], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(incoming, "CHUNK", 4)
    path = write(tmp_path / "mem.jsonl", [*rows(6), *({**row, "visibility": "team"} for row in rows(3))])
    memory = make_place().open(world=SimulatedWorld())
    want = None
    for fault in range(1, 200):
        agent = memory.agent("a", tenant=f"t{fault}")
        agent.remember("what was there", kind="fact", key="k0")
        broke = True
        try:
            with faulty(agent, fault):
                agent.import_from(path, on_conflict="overwrite")
            broke = False
        except Broken:
            assert agent.lookup("fact", "k0") is not None
        agent.import_from(path, on_conflict="overwrite")
        found = [{**row, "id": "", "superseded_by": "", "updated_at": ""} for row in exported(agent)]
        for name in ("told_at", "created_at", "superseded_at"):
            found = [{n: v for n, v in row.items() if n != name} for row in found]
        want = want or found
        assert sorted(map(str, found)) == sorted(map(str, want)), fault
        assert not memory.store.check()
        agent.forget(everything=True)
        if not broke:
            assert fault > 30
            return
    pytest.fail("the import never came to its end")


EXPORT = """
import engrain
memory = engrain.open(**given["place"], embedder="hash")
agent = memory.agent("a")
agent.export_to(given["file"], progress=lambda done, total: (say(done), time.sleep(60)))
"""


def test_an_export_that_was_killed_leaves_the_file_of_before(place: Place, tmp_path: Path) -> None:
    agent = place.open().agent("a")
    agent.import_from(write(tmp_path / "in.jsonl", rows(1500)))
    path = tmp_path / "out.jsonl"
    path.write_text("as before")
    process = children.spawn(EXPORT, {"place": place.arguments, "file": str(path)})
    assert children.hear(process) >= 1000
    children.kill(process)
    assert path.read_text() == "as before"
    agent.export_to(path)
    assert len(path.read_text().splitlines()) == 1502
    assert (path.stat().st_mode & 0o777) == 0o600


def test_what_changes_during_an_export_is_not_missed(place: Place) -> None:
    world = SimulatedWorld()
    agent = place.open(world=world).agent("a")
    agent.remember_many([{"content": f"thing {n} of many", "key": f"k{n}"} for n in range(1200)])
    pieces = agent.export_data("jsonl")
    head = [next(pieces) for _ in range(5)]
    world.advance(days=1)
    new = [agent.remember(f"changed {n} meanwhile", key=f"k{n}") for n in (0, 1199)]
    other = place.open(world=world).agent("b")
    other.import_data([*head, *pieces])
    assert other.count() == 1200
    for item in new:
        assert other.lookup("context", item.key or "").content == item.content  # type: ignore[union-attr]
        assert len(other.history("context", item.key or "")) == 2


# -- forget everything ------------------------------------------------------------------------------------------------

MARK = "Zqx7Marker"


def plant(agent: Agent, mark: str) -> None:
    """The mark wherever an agent can put words."""
    about = {"tags": [mark], "metadata": {mark: [mark]}, "session": mark, "role": mark, "source": mark}
    for number in range(60):
        agent.remember(f"{mark} told {number} " + f"{mark} and more " * (number * 9), **about)  # type: ignore[arg-type]
    first = agent.remember(f"{mark} under a key, first", key=mark, kind="fact")
    agent.remember(f"{mark} under a key, second", key=mark, kind="fact", visibility="public")
    changed = agent.remember(f"{mark} will be changed")
    agent.update(changed.id, content=f"{mark} was changed now")
    agent.remember(f"{mark} expires very soon", expires_in="1s")
    for hit in agent.recall(f"{mark} told", min_score=0.0):
        agent.helpful(hit.item.id)
    agent.remember(f"{mark} under a key, second", kind="fact", session=None)  # an echo
    archived = {"id": "m" * 26 if mark == MARK else "n" * 26, "content": f"{mark} archived", "state": "archived"}
    agent.import_data([json.dumps({**archived, "archived_reason": mark}).encode()], "jsonl")
    assert agent.get(first.id)
    agent.kv(mark).set(mark, {mark: mark})
    outcome = Outcome(success=True, evidence="verified", error=mark)
    for task_type in (mark, "task"):
        advice = agent.advise(task_type, state={mark: mark}, options=[mark, "other"], episode=mark)
        agent.observe(advice, outcome)
        agent.observe_step(task_type, {mark: 1.0}, mark, outcome, next_state={mark: 2.0}, episode=mark, task_id=mark)
    problem = {"message": mark, "trace": mark, "log": mark, "prompt": mark, "response": mark, "more": {mark: mark}}
    told: dict[str, Any] = {
        "analysis": mark,
        "fixer": mark,
        "notes": mark,
        "system": {mark: mark},
        "task_id": mark,
        "session": mark,
    }
    for visibility in ("private", "public"):
        agent.record_fix(problem, [mark], success=True, verified=True, target=mark, visibility=visibility, **told)
    agent.record_fix({"message": "other words", "fingerprint": mark}, type=mark)
    one, two = agent.issues()[:2]
    agent.merge_issues(one.id, two.id, mark)


def found_in(place: Place, mark: str) -> list[str]:
    """Where the mark still is: files of the home, in any encoding, and tables of the server."""
    found = []
    spelled = [mark.encode(code) for code in ("utf-8", "utf-16-le", "utf-16-be")]
    spelled += [mark.lower().encode(), mark.upper().encode()]
    for path in place.home.rglob("*") if place.home.exists() else ():
        data = path.read_bytes() if path.is_file() else b""
        found += [str(path) for one in spelled if one in data]
    if place.url:
        with psycopg.connect(place.url, autocommit=True) as server:
            server.execute("select set_config('engrain.tenant', '*', false)")
            tables = server.execute("select tablename from pg_tables where schemaname = current_schema()").fetchall()
            for (table,) in tables:
                asked = f"select count(*) from {table} t where lower(t::text) like '%{mark.lower()}%'"
                found += [table] * server.execute(asked).fetchone()[0]  # type: ignore[index]
    return found


def test_forget_everything_leaves_no_byte(place: Place) -> None:
    memory, other = place.open(), place.open()
    agent, mate, namesake = memory.agent("a"), memory.agent("b"), memory.agent("a", tenant="t2")
    plant(agent, MARK)
    plant(mate, "Yother")
    plant(namesake, "Xother")
    _reply(place, MARK)
    memory.signals.flush()
    kept = [unseen(one) for one in (mate, namesake)]
    watching = other.agent("b")
    assert any(MARK in hit.item.content for hit in watching.recall(f"{MARK} second", min_score=0.0))
    assert other.agent("a").advise("task", state={MARK: MARK}).visits
    assert found_in(place, MARK)
    assert agent.forget(everything=True)
    assert agent.count() == 0
    assert not any(MARK in hit.item.content for hit in agent.recall(f"{MARK} told", min_score=0.0))
    assert not agent.experiences()
    assert not agent.q_values()
    assert agent.kv(MARK).search() == {}
    assert not any(MARK in hit.item.content for hit in watching.recall(f"{MARK} second", min_score=0.0))
    assert other.agent("a").advise("task", state={"x": 1.0}).action != MARK
    assert [unseen(one) for one in (mate, namesake)] == kept
    assert memory.doctor().ok
    agent.remember("it goes on")
    place.close()
    assert found_in(place, MARK) == []
    assert found_in(place, "Yother")
    assert found_in(place, "Xother")
    with place.open() as again:
        assert [item.content for item in again.agent("a").list()] == ["it goes on"]


def _reply(place: Place, mark: str) -> None:
    """An answer kept for a repeated request, as the service keeps them."""
    values = "insert into replies (tenant, owner, key, digest, status, body, at) "
    values += f"values ('default', 'o', 'k', 'd', 200, '{mark}', 1)"
    if place.url:
        with psycopg.connect(place.url) as server:
            server.execute("select set_config('engrain.tenant', 'default', true)")
            server.execute(values)
        return
    with sqlite3.connect(place.home / "engrain.db") as file:
        file.execute(values)
    file.close()


def test_forgetting_everything_that_was_broken_off_is_run_again(place: Place) -> None:
    agent = place.open().agent("a")
    for fault in (1, 9, 20, 26):
        plant(agent, MARK)
        with pytest.raises(Broken), faulty(agent, fault):
            agent.forget(everything=True)
        agent.forget(everything=True)
        assert not any((exported(agent), agent.experiences(), agent.q_values()))
    place.close()
    assert found_in(place, MARK) == []


# -- the command line -------------------------------------------------------------------------------------------------


def _cli(place: Place, *words: str, stdin: str = "") -> tuple[int, str, str]:
    code = """
    import subprocess
    command = [sys.executable, "-m", "engrain", *given["words"]]
    done = subprocess.run(command, input=given["stdin"], capture_output=True, text=True)
    say([done.returncode, done.stdout, done.stderr])
    """
    where = ["--home", str(place.home), "--agent", "a"]
    ((code_, out, err),) = children.run(code, {"words": [*words, *where], "stdin": stdin})
    return code_, out, err


def test_a_terminal_is_asked_first(tmp_path: Path) -> None:
    place = Place(tmp_path / "home")
    with place.open() as memory:
        memory.agent("a").remember("the build needs node 20")
    command = [sys.executable, "-m", "engrain", "forget", "--everything", "--home", str(place.home), "--agent", "a"]
    for typed, code, left in ((b"no\n", 1, 1), (b"a\n", 0, 0)):
        ours, theirs = pty.openpty()
        done = subprocess.Popen(
            command, cwd=children.ROOT, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        os.write(ours, typed)
        _, err = done.communicate(timeout=30)
        for end in (ours, theirs):
            os.close(end)
        assert (done.returncode, b"agent a of tenant default" in err) == (code, True)
        with place.open() as memory:
            assert memory.agent("a").count() == left


def test_the_command_line_exports_imports_and_forgets(tmp_path: Path) -> None:
    place, path = Place(tmp_path / "home"), tmp_path / "mem.json"
    with place.open(embedder="static") as memory:
        memory.agent("a").remember("the build needs node 20", key="node")
    code, out, _ = _cli(place, "export", str(path))
    assert (code, "exported 1 memory" in out) == (0, True)
    code, out, err = _cli(place, "forget", "--everything")
    assert (code, "say --yes" in err) == (2, True)
    assert _cli(place, "forget", "--everything", "--yes")[0] == 0
    assert _cli(place, "forget", "--everything", "--yes")[0] == 1
    assert _cli(place, "forget")[0] == 2
    code, out, _ = _cli(place, "import", str(path), "--json")
    assert (code, json.loads(out)["imported"]) == (0, 1)
    path.write_text('{"content": "good"}\n{"content": ""}\n')
    code, _, err = _cli(place, "import", str(path), "--format", "jsonl")
    assert (code, "line 2: content is empty" in err) == (2, True)
    code, out, _ = _cli(place, "import", str(path), "--format", "jsonl", "--partial")
    assert (code, "imported 1" in out, "line 2" in out) == (0, True, True)
