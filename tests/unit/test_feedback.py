"""Adaptive recall as a caller sees it, on both engines: off until a gain is proved, kept, forgotten, reset."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import engrain
from engrain.errors import StoreError
from engrain.recall.adapt import LEAST
from engrain.recall.feedback import KEPT, LATE, Feedback
from engrain.testing import SimulatedWorld
from tests.feedback import WORDS, checked, fill, places, teach
from tests.postgres import Place


@pytest.fixture
def memory(place: Place) -> engrain.Memory:
    memory = place.open(embedder="static", world=SimulatedWorld())
    fill(memory.agent("a"))
    return memory


def test_it_is_off_until_enough_feedback_and_then_moves_what_was_not_judged(memory: engrain.Memory) -> None:
    agent = memory.agent("a")
    before = places(agent)
    assert min(before) > 0
    assert agent.adaptation()["state"] == f"off: 0 of at least {LEAST} examples"
    teach(agent, WORDS[: LEAST - 1])
    assert agent.adaptation()["on"] is False
    assert agent.adaptation()["gain"] is None
    assert places(agent) == before, "with too few examples nothing changes"
    teach(agent, WORDS[LEAST - 1 :])
    status = agent.adaptation()
    assert status["on"] is True
    assert status["low"] > 0
    assert sum(places(agent)) < sum(before)
    names = {name for hit in agent.recall("what about the castle report?") for name, _ in hit.why}
    assert "learned" in names
    assert "asked" in {name for hit in agent.recall(f"what about the {WORDS[0]} report?") for name, _ in hit.why}


def test_it_survives_a_restart_and_reaches_processes_that_are_open(memory: engrain.Memory, place: Place) -> None:
    other = place.open(embedder="static", world=SimulatedWorld())
    before = places(other.agent("a"))
    teach(memory.agent("a"))
    memory.close()
    after = places(other.agent("a"))
    assert sum(after) < sum(before), "an open process sees it at its next recall"
    other.close()
    again = place.open(embedder="static", world=SimulatedWorld())
    assert places(again.agent("a")) == after
    assert again.agent("a").adaptation()["on"] is True


def test_one_call_resets_it_everywhere(memory: engrain.Memory, place: Place) -> None:
    agent = memory.agent("a")
    teach(agent)
    assert agent.adaptation()["on"] is True
    other = place.open(embedder="static", world=SimulatedWorld())
    places(other.agent("a"))
    assert other.agent("a").reset_adaptation() == len(WORDS)
    assert agent.adaptation()["examples"] == 0
    found = {name for hit in agent.recall("what about the castle report?") for name, _ in hit.why}
    assert not found & {"asked", "learned"}
    assert agent.reset_adaptation() == 0


def test_a_tenant_learns_from_its_own_feedback_only(memory: engrain.Memory) -> None:
    neighbour = memory.agent("a", tenant="neighbour")
    fill(neighbour)
    before = places(neighbour)
    teach(memory.agent("a"))
    assert memory.agent("a").adaptation()["on"] is True
    assert neighbour.adaptation()["examples"] == 0
    assert places(neighbour) == before
    assert neighbour.reset_adaptation() == 0
    assert memory.agent("a").adaptation()["on"] is True, "a reset is the tenant's own"


def test_a_verdict_may_come_from_another_process_within_the_hour(memory: engrain.Memory, place: Place) -> None:
    hits = memory.agent("a").recall("what about the harbour report?")
    memory.close()
    world = SimulatedWorld()
    other = place.open(embedder="static", world=world)
    agent = other.agent("a")
    agent.helpful(hits[0].item.id, True)
    agent.helpful(hits[1].item.id, False)
    assert agent.adaptation()["examples"] == 1, "both verdicts are of one question"
    rows = other.store.read("example_answers", {"tenant": "default"})
    assert {row["memory_id"]: row["verdict"] for row in rows if row["verdict"]} == {
        hits[0].item.id: 1,
        hits[1].item.id: -1,
    }
    later = agent.recall("what about the violin report?")
    other.signals.flush()
    world.advance(hours=1.1)
    agent.helpful(later[0].item.id, True)
    assert agent.adaptation()["examples"] == 1, f"after {LATE / 3.6e9:g} h nobody knows which question was meant"


def test_a_changed_mind_replaces_the_verdict_and_an_unknown_one_teaches_nothing(memory: engrain.Memory) -> None:
    agent = memory.agent("a")
    hit = agent.recall("what about the harbour report?")[0]
    agent.helpful(hit.item.id, True)
    memory.signals.flush()
    agent.helpful(hit.item.id, False)
    memory.signals.flush()
    verdicts = [row["verdict"] for row in memory.store.read("example_answers", {"tenant": "default"})]
    assert verdicts.count(-1) == 1
    assert verdicts.count(1) == 0
    unseen = next(one for one in agent.list() if "yellow" in one.content and one.id not in {hit.item.id})
    agent.helpful(unseen.id, True)
    assert agent.adaptation()["examples"] == 1, "an item that no question showed is no example"


def test_applied_items_teach_as_helpful_ones_do(memory: engrain.Memory) -> None:
    agent = memory.agent("a")
    agent.applied(agent.recall("what about the harbour report?")[0].item.id)
    assert agent.adaptation()["examples"] == 1


def test_what_an_item_taught_is_forgotten_with_it(memory: engrain.Memory) -> None:
    agent = memory.agent("a")
    teach(agent)
    assert agent.adaptation()["on"] is True
    assert memory.store.read("question_any", {"tenant": "default"}) == []
    agent.recall("what about the castle report?")
    memory.signals.flush()
    assert memory.store.read("question_any", {"tenant": "default"})
    gone = next(one for one in agent.list() if "auditor" in one.content and "harbour" in one.content)
    version = memory.store.read("adapter_get", {"tenant": "default"})[0]["version"]
    agent.forget(gone.id)
    assert memory.store.read("question_any", {"tenant": "default"}) == [], "traces name what was shown"
    assert gone.id not in {row["memory_id"] for row in memory.store.read("example_answers", {"tenant": "default"})}
    row = memory.store.read("adapter_get", {"tenant": "default"})[0]
    assert row["version"] > version, "learned anew without it"
    assert gone.id.encode("utf-32-le") not in bytes(row["state"])
    assert agent.forget_where(tags=None, kind="context") > 0
    assert agent.adaptation()["on"] is False
    assert bytes(memory.store.read("adapter_get", {"tenant": "default"})[0]["state"]) == b""


def test_what_is_left_after_forgetting_is_counted_and_cannot_switch_it_on(memory: engrain.Memory) -> None:
    agent = memory.agent("a")
    teach(agent, WORDS[:LEAST])
    assert agent.adaptation()["examples"] == LEAST
    judged = {row["memory_id"] for row in memory.store.read("example_answers", {"tenant": "default"}) if row["verdict"]}
    for number, gone in enumerate(sorted(judged), 1):
        agent.forget(gone)
        status = agent.adaptation()
        assert (status["examples"], status["on"]) == (LEAST - number, False)
        assert status["state"] == f"off: {LEAST - number} of at least {LEAST} examples"


def test_one_question_asked_again_and_again_is_one_example(memory: engrain.Memory) -> None:
    agent = memory.agent("a")
    for _ in range(LEAST + 5):
        hits = agent.recall("what about the harbour report?")
        agent.helpful(hits[checked(hits)].item.id, True)
        memory.signals.flush()
    status = agent.adaptation()
    assert (status["examples"], status["on"], status["gain"]) == (1, False, None)
    assert agent.reset_adaptation() == 1


def test_the_embedder_has_the_name_that_the_doctor_gives(memory: engrain.Memory) -> None:
    agent = memory.agent("a")
    assert agent.adaptation()["embedder"] is None
    teach(agent)
    assert agent.adaptation()["embedder"] == memory.embedder_name


def test_of_two_that_learn_at_once_one_is_kept_whole(memory: engrain.Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    agent = memory.agent("a")
    teach(agent)
    memory.signals.flush()
    one, two = Feedback(memory.store, memory.world), Feedback(memory.store, memory.world)
    examples = two._examples

    def meanwhile(tenant: str) -> object:
        monkeypatch.setattr(two, "_examples", examples)
        one._learn(tenant, anew=True)
        return examples(tenant)

    before = memory.store.read("adapter_get", {"tenant": "default"})[0]["version"]
    monkeypatch.setattr(two, "_examples", meanwhile)
    two._learn("default", anew=True)
    row = memory.store.read("adapter_get", {"tenant": "default"})[0]
    assert row["version"] == before + 1, "the second one saw a version that was gone"
    assert row["pending"] == 0
    assert agent.adaptation()["on"] is True


def test_another_embedder_does_not_use_what_was_learned_with_this_one(memory: engrain.Memory, place: Place) -> None:
    teach(memory.agent("a"))
    assert memory.agent("a").adaptation()["on"] is True
    memory.close()
    other = place.open(embedder="hash", world=SimulatedWorld())
    why = {name for hit in other.agent("a").recall("what about the castle report?") for name, _ in hit.why}
    assert why
    assert not why & {"asked", "learned"}


def test_no_words_of_a_question_are_kept_and_no_more_traces_than_a_ring(memory: engrain.Memory) -> None:
    agent = memory.agent("a")
    for number in range(3 * KEPT):
        agent.recall(f"what about the harbour report of zanzibar {number}?")
        memory.signals.flush()
    rows = memory.store.read("question_recent", {"tenant": "default", "agent": "a", "since": 0})
    assert 0 < len(rows) <= KEPT
    found = rows[0]
    kept = b"".join(bytes(found[name]) for name in ("parts", "vectors")) + str(found["names"]).encode()
    assert b"zanzibar" not in kept + str([row["items"] for row in rows]).encode()


def test_verdicts_that_could_not_be_written_are_written_later(
    memory: engrain.Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = memory.agent("a")
    agent.recall("what about the harbour report?")
    memory.signals.flush()
    hit = agent.recall("what about the harbour report?")[0]
    agent.helpful(hit.item.id, True)
    whole: Callable[..., int] = memory.feedback._write

    def broken(*given: object) -> int:
        raise StoreError("the disk is full")

    monkeypatch.setattr(memory.feedback, "_write", broken)
    with pytest.raises(StoreError):
        memory.signals.flush()
    monkeypatch.setattr(memory.feedback, "_write", whole)
    assert agent.adaptation()["examples"] == 1


def test_the_doctor_and_the_counts_tell_of_it(memory: engrain.Memory) -> None:
    def told() -> str:
        return next(check.detail for check in memory.doctor().checks if check.name == "adapted recall")

    assert told() == "no feedback yet"
    teach(memory.agent("a"))
    assert memory.stats()["adapted"]["default"]["on"] is True
    assert told() == "on for 1 of 1 tenant that gave feedback"
