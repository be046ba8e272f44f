"""SQL over the archive wherever it is: on both engines, in an object store, over HTTP, and when processes die."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

import engrain
from engrain.errors import ArchiveUnavailable
from tests import children
from tests.cold import freeze
from tests.objects import BUCKET, Objects, environment, objects
from tests.postgres import Place
from tests.service import folder, serving

pytestmark = pytest.mark.slow

__all__ = ["objects"]  # a fixture


def test_what_is_live_on_either_engine(make_place: Callable[..., Place]) -> None:
    place = make_place()
    with place.open() as memory:
        agent = memory.agent("a", team="blue")
        memory.agent("mate", team="blue").remember("for the team", visibility="team")
        memory.agent("other").remember("for nobody else")
        item = agent.remember("of its own", metadata={"event_type": "x"}, pinned=True)
        agent.forget(agent.remember("gone").id)
        agent.observe(agent.advise("build", options=["x"]), engrain.Outcome(success=True, evidence="executed"))
        memory.agent("a", tenant="rival").remember("of a rival")
        freeze(memory, [{"id": "cold"}])
        counts = "select count(*) as n from live_memories"
        assert memory.archive.sql(counts).to_pylist() == [{"n": 4}]
        assert agent.sql(counts).to_pylist() == [{"n": 2}]
        found = agent.sql("select id, pinned, bytes, metadata->>'event_type' as e from live_memories where agent = 'a'")
        assert found.to_pylist() == [{"id": item.id, "pinned": True, "bytes": 10, "e": "x"}]
        assert agent.sql("select event from transitions").to_pylist() == [{"event": "memory:forgotten"}]
        assert agent.sql("select success, reward > 0 as good from live_experiences").to_pylist() == [
            {"success": True, "good": True}
        ]
        assert memory.agent("other").sql("select * from transitions").num_rows == 0
        assert agent.sql("select id from history").to_pylist() == [{"id": "cold"}]
        assert memory.run_report("outcome-by-agent").rows[0]["successes"] == 1


def test_an_archive_in_an_object_store_is_asked(
    tmp_path: Path, objects: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment(objects.url).items():
        monkeypatch.setenv(name, value)
    with engrain.open(tmp_path, embedder="hash", archive=f"s3://{BUCKET}/asked") as memory:
        freeze(memory, [{"id": f"r{n}"} for n in range(3)])
        assert memory.archive.sql("select count(*) as n from history").to_pylist() == [{"n": 3}]
        assert memory.archive.stats()["memories"]["files"] == 1
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with engrain.open(tmp_path, embedder="hash", archive=f"s3://{BUCKET}/asked") as memory:
        begun = time.monotonic()
        with pytest.raises(ArchiveUnavailable):
            memory.archive.sql("select count(*) as n from history")
        assert time.monotonic() - begun < 40


def test_over_http(tmp_path: Path) -> None:
    with engrain.open(tmp_path, embedder="hash") as memory:
        freeze(memory, [{"id": f"r{n}", "content": "x" * 1000} for n in range(50)])
        freeze(memory, [{"id": "of-a-rival", "tenant": "rival"}])
        owner = memory.keys_create("owner", "*", rights="admin").key
        reader = memory.keys_create("reader", "default", rights="read").key
        rival = memory.keys_create("rival", "rival", rights="admin").key
    with serving(folder(tmp_path), query_seconds=2) as service:
        asked = {"statement": "select count(*) as n, max(archived_at) as at_most from history"}
        told = service.post("/v1/archive/sql", asked, key=owner).json
        assert (told["columns"], told["more"]) == (["n", "at_most"], False)
        assert told["rows"] == [[51, "2026-03-01T12:00:00+00:00"]]
        assert service.verb("sql", {"statement": "select count(*) as n from history"}, "a", key=reader)["rows"] == [
            [50]
        ]
        assert service.verb("sql", {"statement": "select id from history"}, "a", key=rival)["rows"] == [["of-a-rival"]]
        many = {"statement": "select ? as n, range from range(20000)", "parameters": [1]}
        told = service.verb("sql", many, "a", key=reader)
        assert (len(told["rows"]), told["more"]) == (10_000, True)
        assert service.post("/v1/archive/sql", asked, key=reader).problem == "Forbidden"
        assert service.post("/v1/archive/sql", asked, key=rival).problem == "Forbidden"
        assert service.post("/v1/archive/sql", {"statement": "drop view history"}, key=owner).problem == "QueryRefused"
        endless = {"statement": "select count(*) from range(1000000000000)"}
        assert service.post("/v1/archive/sql", endless, key=owner).problem == "QueryLimit"
        told = service.post("/v1/run-report", {"name": "kind-distribution", "tenant": "rival"}, key=rival).json
        assert [row["archived"] for row in told["rows"]] == [1]
        assert service.post("/v1/run-report", {"name": "kind-distribution", "tenant": "default"}, key=rival).problem
        with engrain.open(service.url, key=owner) as client:
            assert client.archive.stats()["memories"]["rows"] == 51
            assert client.archive.tables()[0].columns[0].name == "id"
            assert client.run_report("kind-distribution").rows[0]["archived"] == 51
            with pytest.raises(engrain.errors.ServiceError, match=r"is POST /v1/.*sql over HTTP"):
                client.archive.sql("select 1")


def test_the_process_ends_with_whoever_started_it(tmp_path: Path) -> None:
    code = """
    import engrain
    memory = engrain.open(given, embedder="hash")
    memory.archive.sql("select 1")
    say(memory.analyst._process.pid)
    sys.stdin.read()
    """
    for end in (signal.SIGKILL, None):
        parent = children.spawn(code, str(tmp_path))
        try:
            child = psutil.Process(children.hear(parent))
            if end is None:
                assert parent.stdin is not None
                parent.stdin.close()
            else:
                os.kill(parent.pid, end)
            child.wait(20)
        finally:
            parent.kill()
            for pipe in (parent.stdin, parent.stdout, parent.stderr):
                if pipe is not None:
                    pipe.close()
            parent.wait()
        assert not child.is_running()
