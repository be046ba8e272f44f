"""Verbs as spans: with the SDK in the process, by the names of the conventions, and without a word of what was said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import engrain
from engrain.errors import EngrainError, InvalidContent
from engrain.shells.verbs import VERBS
from tests.children import run

SECRET = "the question and the answer"


@pytest.fixture(scope="module")
def exporter() -> InMemorySpanExporter:
    found = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(found))
    trace.set_tracer_provider(provider)
    return found


def call(agent: Any, name: str, **given: Any) -> Any:
    verb = next(verb for verb in VERBS if verb.name == name and not verb.admin)
    return verb.run(agent._memory, agent, given)


def said(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def test_spans_tell_what_was_done_and_not_what_was_said(exporter: InMemorySpanExporter, tmp_path: Path) -> None:
    exporter.clear()
    with engrain.open(tmp_path, embedder="hash") as memory:
        agent = memory.agent("a", tenant="t")
        item = call(agent, "remember", content=SECRET)
        call(agent, "remember-many", rows=[{"content": SECRET + n} for n in "ab"])
        call(agent, "recall", query=SECRET)
        call(agent, "count")
        call(agent, "forget", id=item.id)
        with pytest.raises(InvalidContent):
            call(agent, "remember", content="")
        with pytest.raises(EngrainError):
            call(agent, "update", id="nope", content=SECRET)
    spans = exporter.get_finished_spans()
    names = ["upsert_memory", "upsert_memory", "search_memory", "delete_memory", "upsert_memory", "update_memory"]
    assert [span.name for span in spans] == names
    assert [said(span).get("gen_ai.memory.record.count") for span in spans] == [1, 2, 3, 1, None, None]
    assert {said(span)["gen_ai.memory.store.id"] for span in spans} == {"t/a"}
    assert [said(span)["gen_ai.operation.name"] for span in spans] == names
    assert said(spans[3])["gen_ai.memory.record.id"] == item.id
    assert [said(span).get("error.type") for span in spans[4:]] == ["InvalidContent", "UnknownItem"]
    assert not spans[4].status.is_ok
    assert SECRET not in "".join(span.to_json() for span in spans)


def test_without_the_sdk_nothing_is_loaded(tmp_path: Path) -> None:
    code = """
    import sys
    import engrain
    from engrain.shells.verbs import VERBS
    with engrain.open(given, embedder="hash") as memory:
        agent = memory.agent("a")
        remember = next(verb for verb in VERBS if verb.name == "remember")
        remember.run(memory, agent, {"content": "x"})
        say([agent.count(), any(name.startswith("opentelemetry") for name in sys.modules)])
    """
    assert run(code, str(tmp_path)) == [[1, False]]
