"""Learning health: whether each stage of the loop lives, told also when nothing runs; and what memory adds."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from engrain import Agent, Outcome
from engrain.errors import InvalidField
from engrain.learn.state import State
from engrain.memory import Memory
from engrain.model.learning import LearningHealth, Stage
from engrain.shells.cli import main
from engrain.testing import SimulatedWorld
from engrain.world import from_micros
from tests.children import run
from tests.life import freeze
from tests.policies import add, table
from tests.postgres import Place

NAMES = ["decided", "outcome", "verified", "trained", "promoted", "followed"]


@pytest.fixture
def world() -> SimulatedWorld:
    return SimulatedWorld("2026-01-01T09:00:00Z", seed=5)


@pytest.fixture
def memory(place: Place, world: SimulatedWorld) -> Memory:
    return place.open(world=world)


@pytest.fixture
def agent(memory: Memory) -> Agent:
    return memory.agent("ann")


def stage(health: LearningHealth, name: str) -> Stage:
    return next(one for one in health.stages if one.name == name)


def states(memory: Memory) -> dict[str, str]:
    return {one.name: one.state for one in memory.learning_health().stages}


def work(agent: Agent, times: int = 3, evidence: str = "executed", follow: bool = True, known: bool = True) -> None:
    """Decisions with their outcomes, the better option wins."""
    for _ in range(times):
        advice = agent.advise("build", state={"size": 1}, options=["left", "right"])
        if known:
            other = {"left": "right", "right": "left"}[str(advice.action)]
            taken = advice.action if follow else other
            agent.observe(advice, Outcome(success=taken == "left", evidence=evidence), action=taken)


def trained(memory: Memory, task: str = "build") -> None:
    """As a dream marks what it has trained on."""
    row = memory.store.read("scope_states", {"tenant": "default", "names": [f"learn::{task}"]})[0]
    mark = {"tenant": "default", "task_type": task, "seq": row["seq"], "purges": row["purges"], "rows": 3}
    memory.store.write([("dream_mark", {**mark, "dream": "d1", "now": memory.world.now()})])


def alive(memory: Memory, agent: Agent, world: SimulatedWorld, days: int, **how: Any) -> None:
    """Days on which everything happens but what ``how`` leaves out."""
    dreams = how.pop("dreams", True)
    for _ in range(days):
        work(agent, **how)
        if dreams:
            trained(memory)
        world.advance(days=1)


def silence(memory: Memory) -> dict[str, str]:
    """The alerts that the role raises."""
    (done,) = memory.tick(["metrics"])
    assert done.state == "done", done.error
    return {one.subject: one.detail for one in memory.alerts() if one.name == "learning-silent"}


# -- stages -----------------------------------------------------------------------------------------------------------


def test_nobody_ever_decided_and_nothing_is_silent(memory: Memory, world: SimulatedWorld) -> None:
    memory.agent("ann").remember("not a decision")
    world.advance(days=40)
    health = memory.learning_health()
    assert health.alive is None
    assert [one.name for one in health.stages] == NAMES
    assert {one.state for one in health.stages} == {"nothing"}
    assert (health.worse, health.calibration.n, health.tasks, health.canary) == (None, 0, (), None)
    assert silence(memory) == {}
    (check,) = (one for one in memory.doctor().checks if one.name == "learning")
    assert (check.ok, check.detail) == (True, "nobody has decided yet")


def test_what_lives_is_told_with_its_counts(memory: Memory, agent: Agent, world: SimulatedWorld) -> None:
    alive(memory, agent, world, 9)
    agent.advise("build", state={"size": 1}, options=["left", "right"])
    agent.observe_step("build", state={"size": 1}, action="left", outcome=Outcome(success=True))
    add(memory, table({1: {"left": 1.0, "right": -1.0}}))
    health = memory.learning_health()
    assert health.alive is True
    assert (health.at, health.archive) == (from_micros(world.now()), "none")
    found = {one.name: (one.state, one.n, one.of) for one in health.stages}
    assert found["decided"] == ("alive", 28, None)
    assert found["outcome"] == ("alive", 27, 28)
    assert found["verified"] == ("alive", 27, 28), "the step is only claimed"
    assert found["trained"][0] == "alive"
    assert found["promoted"] == ("alive", 1, 1)
    assert found["followed"] == ("alive", 26, 26), "the first was drawn blindly: there was nothing to follow"
    assert "1 step without advice" in stage(health, "outcome").detail
    assert silence(memory) == {}


CASES: dict[str, dict[str, Any]] = {
    "outcome": {"known": False},
    "verified": {"evidence": "claimed"},
    "trained": {"dreams": False},
    "followed": {"follow": False},
}


@pytest.mark.parametrize("name", CASES)
def test_a_stage_that_died_is_silent_since_then_and_an_alert_until_it_moves(
    name: str, memory: Memory, agent: Agent, world: SimulatedWorld
) -> None:
    alive(memory, agent, world, 10)
    before = world.now()
    assert states(memory)[name] == "alive"
    alive(memory, agent, world, 9, **CASES[name])
    health = memory.learning_health()
    dead = stage(health, name)
    assert (health.alive, dead.state) == (False, "silent"), dead
    assert dead.since is not None
    assert dead.last is not None
    assert abs(dead.since.timestamp() - before / 1e6) <= 86400 + 60
    assert [one.name for one in health.stages if one.state == "silent"] == [name]
    assert set(silence(memory)) == {name}
    (check,) = (one for one in memory.doctor().checks if one.name == "learning")
    assert check.ok is None
    assert name in check.detail
    alive(memory, agent, world, 1)
    assert states(memory)[name] == "alive"
    assert silence(memory) == {}
    assert any(one.settled_at for one in memory.alerts(settled=True))


def test_a_home_where_nobody_decides_any_more_is_silent_in_that_alone(
    memory: Memory, agent: Agent, world: SimulatedWorld
) -> None:
    alive(memory, agent, world, 3)
    world.advance(days=8)
    found = states(memory)
    assert found["decided"] == "silent"
    assert set(found.values()) - {"silent"} == {"waiting"}
    assert set(silence(memory)) == {"decided"}
    world.advance(days=80)
    later = memory.learning_health(days=7)
    assert stage(later, "decided").since == stage(memory.learning_health(days=100), "decided").since
    assert stage(later, "decided").n == 0


def test_a_late_stage_is_not_silent_before_its_days_are_over(place: Place, world: SimulatedWorld) -> None:
    memory = place.open(world=world, silent_days=2.0, every_learn="1d")
    agent = memory.agent("ann")
    alive(memory, agent, world, 1, known=False, dreams=False)
    assert states(memory)["outcome"] == "waiting"
    alive(memory, agent, world, 3, known=False, dreams=False)
    assert states(memory)["outcome"] == "silent"
    assert stage(memory.learning_health(), "outcome").last is None


def test_it_is_told_by_a_process_that_never_ran_anything(
    memory: Memory, agent: Agent, world: SimulatedWorld, place: Place
) -> None:
    """488, 491, 509: nothing had to succeed, or to run at all, for the readout to be of now."""
    alive(memory, agent, world, 9, dreams=False)
    memory.close()
    code = """
        import engrain
        from engrain.testing import SimulatedWorld
        world = SimulatedWorld(given["now"])
        with engrain.open(**given["where"], embedder="hash", world=world) as memory:
            health = memory.learning_health()
            say([health.at.isoformat(), health.alive, {one.name: one.state for one in health.stages},
                 [run.role for run in memory.runs()], [one.name for one in memory.alerts()]])
    """
    later = (from_micros(world.now()) + timedelta(hours=2)).isoformat()
    ((at, lives, found, runs, alerts),) = run(code, {"where": place.arguments, "now": later})
    assert (at, lives, runs, alerts) == (later, False, [], [])
    assert found["trained"] == "silent"


def test_a_dream_that_failed_is_told_and_so_is_one_that_is_not_heard_of(memory: Memory, agent: Agent) -> None:
    work(agent)
    ask = {"id": "d1", "reason": "asked", "checkpoint": "{}", "seed": 0, "budget": 5, "now": memory.world.now()}
    begin = ("dream_begin", {"id": "d1", "holder": "nobody", "budget": 5, "now": memory.world.now()})
    memory.store.write([("dream_insert", ask), begin])
    assert "not heard of any more" in stage(memory.learning_health(), "trained").detail
    end = {"id": "d1", "state": "failed", "phase": "evaluate", "checkpoint": "{}", "steps": 1, "findings": "{}"}
    memory.store.write([("dream_end", {**end, "error": "ValueError: no", "now": memory.world.now()})])
    health = memory.learning_health()
    assert "is failed: ValueError: no" in stage(health, "trained").detail
    assert "the last dream failed in evaluate: ValueError: no" in health.notes
    theirs = memory.learning_health(tenant="default")
    assert "ValueError" not in str(theirs), "it may name what is of other tenants"


def test_a_live_policy_that_cannot_be_read_is_told(memory: Memory, agent: Agent) -> None:
    work(agent)
    version = add(memory, Later(), live=False)
    key = {"tenant": "default", "task_type": "build", "version": version}
    memory.store.write([("policy_state", {**key, "state": "live", "live_at": memory.world.now()})])
    (note,) = memory.learning_health().notes
    assert "version 1 of 'build' in tenant 'default': there is no kind of rule 'later'" in note
    (check,) = (one for one in memory.doctor().checks if one.name == "policies")
    assert check.ok is False


class Later:
    """A rule as an engrain of the future would write it."""

    kind, actions = "later", ("left",)

    def chances(self, state: State, actions: Sequence[str]) -> None:
        return None

    def known(self, state: State, action: str) -> None:
        return None

    def body(self) -> dict[str, Any]:
        return {}


# -- with and without memory ------------------------------------------------------------------------------------------


def test_weeks_tell_the_reward_with_and_without_memory(memory: Memory, agent: Agent, world: SimulatedWorld) -> None:
    for _ in range(2):
        for reward in (1.0, 0.5):
            advice = agent.advise("build", state={"size": 1}, options=["left"])
            agent.observe(advice, Outcome(reward=reward, success=True, evidence="executed"))
        agent.observe_step("build", state={}, action="left", outcome=Outcome(reward=-1.0, evidence="verified"))
        agent.observe_step("build", state={}, action="left", outcome=Outcome(reward=2.0, evidence="claimed"))
        world.advance(days=8)
    weeks = memory.learning_health(days=21).weeks
    assert len(weeks) == 3
    counts = [(one.advised, one.without) for one in weeks]
    assert counts == [(1, 2), (2, 1), (0, 0)], "the first was drawn blindly; claims are not counted"
    assert weeks[0].without_mean == pytest.approx(0.0)
    assert weeks[1].advised_mean == pytest.approx(0.75)
    assert weeks[2].advised_mean is None
    assert weeks[2].without_mean is None


def test_where_memory_made_it_worse_is_told_and_unknown_otherwise(memory: Memory, agent: Agent) -> None:
    gains = {"better": 1.0, "worse": -1.0, "few": 0.0}
    for task, gain in gains.items():
        for number in range(3 if task == "few" else 20):
            noise = 0.1 * (number % 2)
            told = Outcome(reward=gain + noise, evidence="verified")
            agent.observe_step(task, state={}, action="a", outcome=Outcome(reward=noise, evidence="verified"))
            advice = agent.advise(task, state={}, options=["a"])
            agent.observe(advice, told)
    health = memory.learning_health()
    found = {one.task_type: one for one in health.tasks}
    assert [one.task_type for one in health.tasks] == ["worse", "better", "few"], "what is worst stands first"
    assert found["worse"].gain == pytest.approx(-1.0)
    assert found["better"].gain == pytest.approx(1.0)
    assert found["few"].gain is None
    assert found["few"].advised == 3
    assert found["worse"].low is not None
    assert found["worse"].high is not None
    assert found["worse"].low < -1.0 < found["worse"].high < 0.0
    assert health.worse == pytest.approx(0.5)
    assert memory.learning_health(tenant="other").worse is None


def test_calibration_compares_what_was_expected_with_what_came(memory: Memory, agent: Agent) -> None:
    for _ in range(30):
        advice = agent.advise("build", state={}, options=["a"])
        agent.observe(advice, Outcome(reward=1.2, evidence="verified"))
    one = memory.learning_health().calibration
    assert one.n == 29, "the first expected nothing"
    assert one.observed == pytest.approx(1.2)
    assert one.expected is not None
    assert 0.5 < one.expected <= 1.2
    assert one.inside is not None
    assert one.inside > 0.8
    assert sum(each.n for each in one.bins) == one.n
    assert all(each.least <= each.expected <= each.most for each in one.bins)


# -- two tiers --------------------------------------------------------------------------------------------------------


def test_what_is_archived_counts_as_before(place: Place, world: SimulatedWorld) -> None:
    memory = place.open(world=world, experience_days=5.0)
    agent = memory.agent("ann")
    alive(memory, agent, world, 12, times=4)
    alive(memory, agent, world, 4, evidence="claimed", follow=False)
    agent.observe_step("build", state={"size": 2}, action="left", outcome=Outcome(success=True, evidence="verified"))
    before = memory.learning_health()
    assert freeze(memory)["experiences"] > 20
    after = memory.learning_health()
    assert (before.archive, after.archive) == ("none", "read")
    assert rounded(replace(after, archive="none")) == rounded(before)
    assert rounded(memory.learning_health(days=10, tenant="default")) != rounded(before)
    world.advance(days=40)
    assert stage(memory.learning_health(), "decided").since is not None, (
        "the last decision is known of the archive alone"
    )


def rounded(health: LearningHealth) -> Any:
    """Sums of floats come in another order from the archive."""

    def shape(value: Any) -> Any:
        if isinstance(value, float):
            return round(value, 9)
        if isinstance(value, (list, tuple)):
            return [shape(one) for one in value]
        if hasattr(value, "__dataclass_fields__"):
            return {name: shape(getattr(value, name)) for name in value.__dataclass_fields__}
        return value

    return shape(health)


def test_an_archive_that_cannot_be_reached_leaves_what_is_known(place: Place, world: SimulatedWorld) -> None:
    memory = place.open(world=world, experience_days=1.0)
    agent = memory.agent("ann")
    alive(memory, agent, world, 4, dreams=False)
    freeze(memory)
    shutil.rmtree(memory.home / "archive")
    lost = {one.name: one.state for one in memory.learning_health().stages}
    assert {lost[name] for name in ("decided", "outcome", "verified", "followed")} == {"unknown"}
    work(agent)
    health = memory.learning_health()
    assert "there is no table" in health.archive
    assert str(memory.home) not in str(memory.learning_health(tenant="default"))
    assert health.alive is None
    assert any("archived outcomes are not counted in" in note for note in health.notes)
    assert [stage(health, name).n for name in ("decided", "outcome")] == [3, 3]
    assert silence(memory) == {}, "what is not known raises nothing"


# -- the canary, and the command --------------------------------------------------------------------------------------


def test_the_canary_is_kept_good_or_bad(memory: Memory, place: Place, world: SimulatedWorld) -> None:
    health = memory.learning_health(canary=True)
    assert health.canary is not None
    assert health.canary.ok
    assert {one.state for one in health.stages} == {"nothing"}, "its tenant is gone"
    memory.close()
    again = place.open(world=world)
    assert again.learning_health().canary == health.canary
    told = {"at": world.now(), "ok": False, "detail": "the loop broke"}
    again.store.write([("home_set", {"name": "canary", "value": json.dumps(told)})])
    kept = again.learning_health().canary
    assert kept is not None
    assert (kept.ok, kept.detail) == (False, "the loop broke")
    assert again.doctor(canary=True).checks[-1].ok
    flown = again.learning_health().canary
    assert flown is not None
    assert flown.ok


@pytest.mark.parametrize("wrong", [{"days": 0}, {"days": "7"}, {"tenant": ""}, {"canary": 1}])
def test_wrong_questions_are_refused(memory: Memory, wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidField):
        memory.learning_health(**wrong)


def test_the_command_says_no_when_a_stage_is_silent(
    tmp_path: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    place = Place(tmp_path / "home", None)
    world = SimulatedWorld("2025-01-01T00:00:00Z")
    with place.open(world=world) as memory:
        alive(memory, memory.agent("ann"), world, 9, dreams=False)
    assert main(["learning", "--home", str(place.home), "--days", "3000"]) == 1
    shown = capsys.readouterr().out
    assert "not all of it lives" in shown
    assert "silent since 2025-01-09" in shown
    assert max(map(len, shown.splitlines())) <= 80
    assert main(["learning", "--home", str(place.home), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["ok"], told["health"]["alive"]) == (False, False)
    assert [one["name"] for one in told["health"]["stages"]] == NAMES
