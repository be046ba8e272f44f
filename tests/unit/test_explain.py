"""Every part of a score has words."""

from __future__ import annotations

from engrain.model.explain import PARTS, explain
from tests.postgres import Place


def test_every_part_that_occurs_is_explained_and_every_explanation_occurs(place: Place) -> None:
    memory = place.open(embedder="static")
    agent = memory.agent("reader")
    said = [("Ann", "My tent is green."), ("user", "My tent stands beside the lake."), ("Ann", "Is the tent wet?")]
    items = agent.remember_many([{"content": text, "role": role, "session": "trip"} for role, text in said])
    for text in ("The colour of the tent is red", "The colour of the tent is blue"):
        agent.remember(text, kind="fact", importance=8.0)
    for session in ("a", "b"):
        agent.remember("Ann and I bought the tent in a shop in Turin", session=session)
    agent.helpful(items[1].id, True)
    memory.close()
    hits = place.open(embedder="static").agent("reader").recall("What did Ann tell me about the colour of my tent?")
    assert {name for hit in hits for name, _ in hit.why} == set(PARTS)
    lines = explain(hits[0])
    assert len(lines) == len(hits[0].why)
    assert abs(sum(float(line.split()[0]) for line in lines) - hits[0].score) < 0.001 * len(lines)
