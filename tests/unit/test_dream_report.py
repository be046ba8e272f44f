"""What a dream shows to people: figures from logs, pictures, and the report of a dream."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from engrain import Agent
from engrain.dream.episodes import fallen, returns
from engrain.dream.figures import SPANS, calibration, over_time
from engrain.dream.pictures import before_after, calibrated, scale
from engrain.dream.pictures import over_time as course
from engrain.learn.log import CLAIMED, END, VERIFIED, Log
from engrain.memory import Memory
from engrain.model.fading import DAY
from engrain.testing import SimulatedWorld
from tests.dreams import fill, rows

VOID = {"meta", "circle", "line", "rect", "polyline", "br"}


class _Page(HTMLParser):
    """A page whose tags are all closed, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [str(value) for name, value in attrs if name in {"src", "href", "xlink:href"}]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)


def page(html: str) -> _Page:
    found = _Page()
    found.feed(html)
    assert found.open == []
    return found


def log(reward: list[float], **columns: list[Any]) -> Log:
    """A log of one state and two actions, where nothing else is told; one decision a day."""
    n = len(reward)

    def ints(name: str, usual: Any) -> Any:
        return np.array(columns.get(name, usual), dtype=np.int64)

    zeros = [0] * n
    return Log(
        ("k",), ("{}",), ("a", "b"), ints("state", zeros), ints("action", zeros), ints("next", [END] * n),
        np.array(reward, dtype=float), ints("evidence", [VERIFIED] * n), np.full(n, 0.5),
        ints("episode", range(n)), ints("lineage", range(n)), ints("agent", zeros),
        ints("at", [day * DAY for day in range(n)]), ints("policy", zeros),
    )  # fmt: skip


# -- figures -----------------------------------------------------------------------------------------------------------


def test_a_course_has_a_mean_for_each_day_and_apart_what_policies_decided() -> None:
    one = log([1.0, 0.0, -1.0, 0.5], at=[0, 1, DAY, 3 * DAY], policy=[0, 2, -1, 2])
    assert over_time(one.at, one.reward, one.policy) == [
        {"day": "1970-01-01", "days": 1, "n": 2, "mean": 0.5, "policy_n": 1, "policy_mean": 0.0},
        {"day": "1970-01-02", "days": 1, "n": 1, "mean": -1.0, "policy_n": 0, "policy_mean": None},
        {"day": "1970-01-04", "days": 1, "n": 1, "mean": 0.5, "policy_n": 1, "policy_mean": 0.5},
    ]


def test_a_long_course_is_told_in_few_points() -> None:
    one = log([0.25] * 1000)
    found = over_time(one.at, one.reward, one.policy)
    assert 40 <= len(found) <= SPANS
    assert sum(point["n"] for point in found) == 1000
    assert {point["mean"] for point in found} == {0.25}


def test_what_is_expected_comes_where_the_world_keeps_to_it() -> None:
    rng = np.random.default_rng(4)
    action = rng.integers(0, 2, 4000)
    one = log(list(rng.normal(np.where(action, 1.0, -1.0), 0.3)), action=list(action))
    bins = calibration(one)
    assert sum(each["n"] for each in bins) == 4000
    within = [each["low"] - 0.02 <= each["expected"] <= each["high"] + 0.02 for each in bins]
    assert sum(within) >= len(bins) - 1
    assert [each["expected"] for each in bins] == sorted(each["expected"] for each in bins)


def test_what_is_expected_alike_is_told_together() -> None:
    one = log([-1.0] * 600 + [1.0] * 600, action=[0] * 600 + [0] * 600)  # the world turned half-way
    bins = calibration(one)
    assert sum(each["n"] for each in bins) == 1200
    assert len(bins) <= 2  # each half expects one number
    assert all(abs(each["observed"]) < 0.2 for each in bins)


def test_noise_is_not_expected_to_come_again() -> None:
    rng = np.random.default_rng(5)
    states = [str(n) for n in range(900)]
    plain = log(list(rng.normal(0.0, 1.0, 900)), state=list(range(900)))
    one = Log(
        **{**{name: getattr(plain, name) for name in plain.__slots__}, "keys": tuple(states), "texts": tuple(states)}
    )
    assert all(abs(each["expected"]) < 0.2 for each in calibration(one))


def test_no_reward_lies_outside_of_what_a_reward_can_be() -> None:
    bins = calibration(log([2.0] * 19 + [-2.0] + [2.0] * 180))
    assert [each["high"] for each in bins] == [2.0] * len(bins) != []
    assert all(-2.0 <= each["low"] <= each["observed"] for each in bins)
    bins = calibration(log([-2.0, -2.0, 2.0] + [-2.0] * 197))
    assert [each["low"] for each in bins] == [-2.0] * len(bins) != []


def test_too_little_is_not_calibrated() -> None:
    assert calibration(log([1.0] * 20)) == []
    assert calibration(log([1.0] * 500, evidence=[CLAIMED] * 500)) == []


# -- episodes ----------------------------------------------------------------------------------------------------------


def test_episodes_that_are_over_are_summed_up() -> None:
    one = log(
        [1.0, 1.0, -1.0, 2.0, 0.5, 0.5, 1.5],
        episode=[0, 0, 1, 1, 2, 3, 3], agent=[0, 0, 1, 1, 0, 0, 0], policy=[3, 3, 3, 3, 2, 3, 3],
        evidence=[2, 2, 2, 2, 2, 2, 2],
    )  # fmt: skip
    assert returns(one, 3, 0.5).tolist() == [1.5]  # 1 and 3 are the last of their agents, 2 was begun by another
    later = log([1.0, 1.0, 0.0, 0.0], episode=[0, 0, 1, 2], policy=[3] * 4, evidence=[2, 0, 2, 2])
    assert returns(later, 3, 0.5).tolist() == [0.0]  # there is a claim in the first


def test_a_policy_of_episodes_that_fell_is_found() -> None:
    rng = np.random.default_rng(6)
    n, steps = 120, 5
    good, bad = rng.normal(0.3, 0.2, n * steps), rng.normal(-0.5, 0.2, n * steps)
    episode = [at // steps for at in range(2 * n * steps)]
    both = log([*good.tolist(), *bad.tolist()], episode=episode, policy=[1] * (2 * n * steps))
    first = log(good.tolist(), episode=episode[: n * steps], policy=[1] * (n * steps))
    assert fallen(first, 1, 1.0, 0.95) is None
    assert "was promised" in str(fallen(both, 1, 1.0, 0.95))
    assert fallen(both, 2, 1.0, 0.95) is None


def test_episodes_as_good_as_promised_seldom_fall() -> None:
    found = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        rewards = rng.choice([-2.0, 2.0], size=1200)
        one = log(rewards.tolist(), episode=[at // 4 for at in range(1200)], policy=[1] * 1200)
        found += fallen(one, 1, 0.0, 1.0) is not None
    assert found <= 3


# -- pictures ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("low", "high"), [(0.2, 1.0), (-2.0, 2.0), (5.0, 5.0), (0.0, 1e-6), (-1234.5, 99999.0)])
def test_a_scale_holds_what_it_is_for(low: float, high: float) -> None:
    first, last, marks = scale(low, high)
    assert first <= low <= high <= last
    assert 2 <= len(marks) <= 8
    assert (marks[0], marks[-1]) == pytest.approx((first, last))


def test_pictures_are_whole_and_empty_where_nothing_is_known() -> None:
    numbers = {"value": 0.5, "low": 0.4, "high": 0.6}
    unknown = {"value": None, "low": None, "high": None}
    assert page(before_after("<t>", [("before", numbers), ("after", unknown)])).tags.count("circle") == 1
    assert before_after("t", [("before", unknown), ("after", unknown)]) == ""
    assert (calibrated("t", []), course("t", [])) == ("", "")
    bins = [{"expected": e, "observed": e, "low": e - 1, "high": e + 1, "n": 9} for e in (0.0, 1.0)]
    assert page(calibrated("t", bins)).tags.count("circle") == 2
    days = over_time(*(getattr(log([1.0, 2.0, 0.0]), name) for name in ("at", "reward", "policy")))
    assert page(course("t", days)).tags.count("circle") == 3


# -- the report --------------------------------------------------------------------------------------------------------


def test_a_report_tells_what_changed_by_how_much_and_why(memory: Memory, agent: Agent, world: SimulatedWorld) -> None:
    for day in range(6):
        fill(agent, 60, seed=day)
        world.advance(days=1)
    agent.observe_many(rows(9, task="rare"))
    dream = memory.dream()
    found = memory.dream_report()
    assert (found.id, found.state, found.at) == (dream.id, "completed", dream.ended_at)
    assert "1 promoted, 1 skipped" in found.markdown
    assert "build (tenant acme): promoted" in found.markdown
    assert re.search(r"Change: \+0\.\d+, at least \+0\.\d+ \(99 % sure\)", found.markdown)
    assert "9 executed or verified outcomes" in found.markdown
    told = page(found.html)
    assert told.tags.count("svg") == 3
    assert told.links == []  # it needs nothing else
    assert "<script" not in found.html
    assert memory.dream_report(dream.id) == found


def test_names_cannot_break_out_of_a_report(memory: Memory) -> None:
    bad = "<script>alert(1)</script>|[x](y)`"
    agent = memory.agent("a<b>", tenant="t&co")
    agent.observe_many(rows(60, task=bad))
    memory.dream()
    found = memory.dream_report()
    assert "<script" not in found.html
    assert "&lt;script&gt;" in found.html
    assert "<script" not in found.markdown
    page(found.html)


def test_a_report_of_what_is_not_over(memory: Memory, agent: Agent) -> None:
    fill(agent)
    first = memory.dream(budget=1)
    found = memory.dream_report(first.id)
    assert found.state == "interrupted"
    assert "budget of steps is used up" in found.markdown
    asked = memory.dream_request("gate", task_type="other")
    assert "not over yet" in memory.dream_report(asked.id).markdown
