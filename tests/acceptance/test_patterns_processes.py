"""Patterns used and changed by processes at once, some killed: no use is lost, no promotion made twice or by half."""

from __future__ import annotations

import time

from tests import children
from tests.postgres import Place

USE = """
    import engrain
    with engrain.open(**given["open"], embedder="hash") as memory:
        agent = memory.agent(given["agent"], tenant="acme")
        say("ready")
        sys.stdin.readline()
        for n in range(given["n"]):
            agent.use_pattern(given["id"], True, evidence="verified", source=f"{given['agent']}-{n}")
            say(n)
"""
CHANGE = """
    import engrain
    with engrain.open(**given["open"], embedder="hash") as memory:
        agent = memory.agent("ann", tenant="acme")
        one, two = given["ids"]
        if agent.pattern(two).state == "merged":
            agent.undo_pattern(two)
        if agent.pattern(one).tier == "long":
            agent.demote_pattern(one, "again")
        for n in range(1000):
            agent.promote_pattern(one, "known")
            agent.use_pattern(two, n % 2 == 0, evidence="executed")
            agent.merge_patterns(two, one, "the same")
            say(n)
            agent.undo_pattern(two)
            agent.demote_pattern(one, "again")
"""
WORDS = "freeze time with a fake clock instead of sleeping"


def test_two_processes_use_a_pattern_and_one_use_promotes_it(place: Place) -> None:
    with place.open() as memory:
        id_ = memory.agent("ann", tenant="acme").add_pattern("Fake clock", WORDS, visibility="public").id
    given = {"open": place.arguments, "id": id_, "n": 6}
    both = [children.spawn(USE, {**given, "agent": name}) for name in ("ann", "bob")]
    for process in both:
        assert children.hear(process) == "ready"
    for process in both:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    assert [children.said(process) for process in both] == [list(range(6))] * 2
    with place.open() as memory:
        agent = memory.agent("ann", tenant="acme")
        found = agent.pattern(id_)
        assert (found.tier, found.applied, found.belief.good, found.belief.lineages) == ("long", 12, 12.0, 12)
        promoted, made = agent.pattern_history(id_)
        assert (promoted.event, made.event) == ("promoted", "made")
        uses = {one.id: place for place, one in enumerate(reversed(agent.pattern_uses(id_)))}
        assert uses[promoted.detail["use"]] == 4, "the fifth use of all"


def test_killed_while_it_merges_and_promotes(place: Place) -> None:
    with place.open() as memory:
        agent = memory.agent("ann", tenant="acme")
        ids = [agent.add_pattern(name, WORDS).id for name in ("one", "two")]
        for n in range(2):
            agent.use_pattern(ids[0], True, evidence="verified", source=f"s{n}")
    told = 0
    for pause in (0.0, 0.013, 0.037):
        process = children.spawn(CHANGE, {"open": place.arguments, "ids": ids})
        children.hear(process)
        time.sleep(pause)
        process.kill()
        told += 1 + len(process.communicate(timeout=10)[0].split())
        with place.open() as memory:
            agent = memory.agent("ann", tenant="acme")
            before = [agent.pattern(id_) for id_ in ids]
            assert before[1].state in ("active", "merged")
            assert (before[1].merged_into == ids[0]) == (before[1].state == "merged")
            events = agent.pattern_history(ids[0], limit=1000)
            moved = next(one.event for one in events if one.event in ("promoted", "demoted"))
            assert before[0].tier == {"promoted": "long", "demoted": "short"}[moved], "the row and its event are one"
            standing = [one for one in events if one.event == "merged" and one.undo]
            assert len(standing) == (before[1].state == "merged")
            memory.rebuild()
            assert [agent.pattern(id_) for id_ in ids] == before, "what is derived is what was told"
            uses = agent.pattern_uses(ids[1], limit=1000)
            assert len(uses) in (told, told + 1), "no use is lost"
            told = len(uses)
            assert memory.doctor().ok
