"""What becomes of an item, rule by rule, and the properties that every policy must have."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engrain.lifecycle.policies import POLICIES, due, least_idle, outcome, stable_days
from engrain.lifecycle.rules import KEEP, Act, Decision, beyond_cap, decide, forgets, lower_bound, promotes, prunes
from engrain.model.fading import DAY, FLOOR, floor_at
from engrain.model.life import Life, Rules

RULES = {name: Rules(policy=name) for name in POLICIES}
BASE = Life("id", "ann", "main", "fact", "active", 5.0, 5.0, 0, 0, 0, 0)
NEVER = 100_000 * DAY


def score(life: Life, now: int, rules: Rules) -> float:
    return POLICIES[rules.policy].score(life, now, rules)


def item(**fields: Any) -> Life:
    return BASE._replace(**fields)


def gone(life: Life, policy: str) -> float:
    """The day on which it becomes due if nobody uses it."""
    low, high = 0, NEVER
    assert due(life, low, RULES[policy]) is None
    assert due(life, high, RULES[policy]) is not None
    while high - low > DAY // 100:
        middle = (low + high) // 2
        low, high = (low, middle) if due(life, middle, RULES[policy]) else (middle, high)
    return high / DAY


def test_expiry_comes_before_all_else() -> None:
    for life in (item(expires_at=DAY), item(expires_at=DAY, pinned=True, helpful=20, state="pending_decay")):
        assert decide(life, DAY, Rules()) == Decision(Act.EXPIRE, "expired")
        assert decide(life, DAY - 1, Rules()).act != Act.EXPIRE
    assert decide(item(expires_at=DAY, state="archived", archived_at=DAY), 2 * DAY, Rules()) == KEEP


def test_no_other_rule_touches_what_expired() -> None:
    """Each sweep asks its own rule: an item that expired since the last one must not become knowledge."""
    life = item(expires_at=DAY, helpful=20)
    assert promotes(life, DAY - 1, Rules()).act == Act.PROMOTE
    assert promotes(life, DAY, Rules()) == KEEP
    assert forgets(item(), NEVER, Rules()).act == Act.PEND
    assert forgets(item(expires_at=DAY), NEVER, Rules()) == KEEP


def test_an_older_version_is_archived_after_its_time() -> None:
    life = item(state="superseded", superseded_at=DAY, pinned=True)
    assert decide(life, 91 * DAY - 1, Rules()) == KEEP
    assert decide(life, 91 * DAY, Rules()) == Decision(Act.ARCHIVE, "superseded")


def test_importance_lets_go_after_ninety_days_at_the_floor_and_fourteen_of_notice() -> None:
    floor = floor_at(5.0, weighed_at=0, used_at=0)
    assert floor is not None
    assert decide(item(), floor + 90 * DAY - 1, Rules()) == KEEP
    at = floor + 90 * DAY
    assert decide(item(), at, Rules()) == Decision(Act.PEND, "faded")
    told = item(state="pending_decay", pending_at=at)
    assert decide(told, at + 14 * DAY - 1, Rules()) == KEEP
    assert decide(told, at + 14 * DAY, Rules()) == Decision(Act.ARCHIVE, "faded")


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize(
    "why", [{"pinned": True}, {"spared_until": NEVER + 1}, {"used_at": NEVER - DAY}, {"decay_rate": 0.0}]
)
def test_what_may_not_be_forgotten_is_not_and_an_announcement_is_taken_back(policy: str, why: dict[str, Any]) -> None:
    assert decide(item(), NEVER, RULES[policy]).act == Act.PEND
    assert decide(item(**why), NEVER, RULES[policy]) == KEEP
    pending = item(state="pending_decay", pending_at=DAY)
    assert decide(pending, NEVER, RULES[policy]).act == Act.ARCHIVE
    assert decide(pending._replace(**why), NEVER, RULES[policy]) == Decision(Act.SPARE, "no longer due")


def test_sparing_ends() -> None:
    life = item(spared_until=NEVER)
    assert decide(life, NEVER - 1, Rules()) == KEEP
    assert decide(life, NEVER, Rules()).act == Act.PEND


def test_the_defects_of_the_utility_formula_are_mended() -> None:
    fresh, read = gone(item(), "utility"), gone(item(uses=1, used_at=0), "utility")
    assert 45 < fresh < 55, "fresh and unread: not on the second day"
    assert fresh < read < 120, "read once: longer, but not for ever"
    assert read < gone(item(uses=10), "utility") < gone(item(uses=100), "utility") < 365
    assert gone(item(unhelpful=1), "utility") < fresh < gone(item(helpful=1), "utility")
    assert gone(item(unhelpful=9), "utility") == pytest.approx(30, abs=0.1), "never within the month"


def test_stability_is_the_curve_of_fsrs() -> None:
    one = item()
    days = stable_days(one)
    assert days == pytest.approx(2.3065)
    assert score(one, round(days * DAY), RULES["stability"]) == pytest.approx(0.9)
    once = item(uses=1, used_at=10 * DAY)
    recall = (1 + (0.9 ** (-1 / 0.1542) - 1) * 10 / days) ** -0.1542
    grown = 0.25 * 6 * days**-0.1666 * (2.718281828 ** (0.796 * (1 - recall)) - 1)
    assert stable_days(once) == pytest.approx(days * (1 + grown), rel=1e-6)


def test_spaced_uses_strengthen_massed_ones_hardly_do() -> None:
    massed, spaced = item(uses=10, used_at=DAY // 24), item(uses=10, used_at=60 * DAY)
    assert stable_days(item()) < stable_days(massed) < 1.1 * stable_days(item())
    assert stable_days(spaced) > 3 * stable_days(item())
    assert stable_days(item(helpful=5)) > stable_days(item()) > stable_days(item(unhelpful=5))
    assert stable_days(item(told_importance=10.0)) == pytest.approx(2 * stable_days(item()))


def test_what_stability_is_made_of() -> None:
    often: dict[str, Any] = {"used_at": 60 * DAY}
    assert stable_days(item(uses=10_000, **often)) == stable_days(item(uses=32, **often)), "bounded work"
    newer = item(uses=5, used_at=60 * DAY, told_at=50 * DAY)
    assert stable_days(newer) == stable_days(item(uses=5, **often)), "uses of older versions are of the same life"
    helped = item(helpful=3, told_importance=5.0 / (8.2956 / 2.3065) ** 0.6)
    assert stable_days(helped) == pytest.approx(stable_days(item())), "the same at first"
    assert stable_days(helped._replace(uses=5, **often)) > 1.2 * stable_days(item(uses=5, **often))


def test_what_the_scores_say() -> None:
    assert score(item(), 0, RULES["importance"]) == 4.0
    assert score(item(importance=1.0, used_at=100 * DAY), 150 * DAY, RULES["importance"]) == -50.0
    assert outcome(item(helpful=1)) == pytest.approx(1 / 3)
    assert score(item(helpful=1, uses=1), 0, RULES["utility"]) == pytest.approx(0.4 * 0.693147 + 0.4 + 0.2 / 3)


def test_promotion_by_use_needs_all_four_and_by_evidence_only_votes() -> None:
    ripe = item(kind="learning", importance=8.0, uses=5, used_at=14 * DAY)
    assert decide(ripe, 14 * DAY, Rules()) == Decision(Act.PROMOTE, "used 5 times")
    for less in ({"kind": "fact"}, {"importance": 7.9}, {"uses": 4}, {"created_at": 1}, {"promoted_at": 1},
                 {"state": "superseded", "superseded_at": 0}):  # fmt: skip
        assert decide(ripe._replace(**less), 14 * DAY, Rules()) == KEEP, less
    shown = item(helpful=9)
    assert decide(shown, 0, Rules()) == Decision(Act.PROMOTE, "helpful 9 of 9 times")
    assert decide(item(helpful=8), 0, Rules()) == KEEP, "eight of eight may be luck"
    assert decide(item(helpful=9, unhelpful=1), 0, Rules()) == KEEP
    assert decide(item(helpful=9, kind="knowledge"), 0, Rules()) == KEEP


def test_the_bound_is_that_of_wilson() -> None:
    assert lower_bound(0, 0) == 0.0
    assert lower_bound(10, 0) == pytest.approx(0.722467, abs=1e-6)
    assert lower_bound(8, 2) == pytest.approx(0.490162, abs=1e-6)
    assert lower_bound(0, 10) == 0.0


def test_pruning_keeps_what_is_important_within_a_cap() -> None:
    old = item(state="archived", archived_at=0, importance=7.9)
    assert decide(old, 90 * DAY - 1, Rules()) == KEEP
    assert decide(old, 90 * DAY, Rules()) == Decision(Act.PRUNE, "archived for 90 days")
    kept = old._replace(importance=8.0)
    assert decide(kept, 900 * DAY, Rules()) == KEEP
    assert prunes(kept, 900 * DAY, Rules()).reason == "important", "what is archived fades no more"
    many = [kept._replace(id=str(n), importance=8.0 + n % 2, archived_at=n) for n in range(6)]
    assert beyond_cap([*many, old], 900 * DAY, Rules(keep_cap=10)) == []
    assert [life.id for life in beyond_cap([*many, old], 900 * DAY, Rules(keep_cap=2))] == ["0", "2", "4", "1"]
    assert beyond_cap(many, 0, Rules(keep_cap=2)) == [], "none is old enough to be pruned"


lives = st.builds(
    lambda importance, told, used, weighed, uses, helpful, unhelpful, rate: item(
        importance=importance, told_importance=told, used_at=used, created_at=0, told_at=0,
        weighed_at=min(used, weighed), uses=uses + helpful, helpful=helpful, unhelpful=unhelpful, decay_rate=rate,
    ),
    st.floats(1, 10), st.floats(1, 10), st.integers(0, 400 * DAY), st.integers(0, 400 * DAY), st.integers(0, 60),
    st.integers(0, 20), st.integers(0, 20), st.one_of(st.none(), st.floats(0, 10)),
)  # fmt: skip
policies = st.sampled_from(sorted(POLICIES))
spans = st.integers(0, 2000 * DAY)


@settings(derandomize=True, deadline=None, max_examples=150)
@given(life=lives, policy=policies, span=spans, more=spans)
def test_without_a_use_a_score_only_falls(life: Life, policy: str, span: int, more: int) -> None:
    rules, now = RULES[policy], life.used_at + span
    assert score(life, now + more, rules) <= score(life, now, rules) + 1e-9
    if due(life, now, rules):
        assert due(life, now + more, rules), "once due, due until it is used"


@settings(derandomize=True, deadline=None, max_examples=150)
@given(life=lives, policy=policies, span=spans)
def test_below_the_least_idle_time_nothing_is_due(life: Life, policy: str, span: int) -> None:
    rules = RULES[policy]
    least = least_idle(rules)
    assert 20 * DAY < least <= 90 * DAY
    assert due(life, life.used_at + min(span, least - 1), rules) is None
    policy_alone = POLICIES[policy]
    if policy != "utility" and span < least:  # by itself, not only because it is asked for
        assert policy_alone.score(life, life.used_at + span, rules) > policy_alone.limit(rules)


@settings(derandomize=True, deadline=None, max_examples=150)
@given(life=lives, policy=policies, back=spans)
def test_a_clock_that_goes_back_forgets_nothing(life: Life, policy: str, back: int) -> None:
    assert decide(life, life.used_at - back, RULES[policy]).act in (Act.KEEP, Act.PROMOTE)


@settings(derandomize=True, deadline=None, max_examples=100)
@given(life=lives, policy=policies, looks=st.lists(spans, max_size=20))
def test_any_schedule_of_looks_gives_the_same(life: Life, policy: str, looks: list[int]) -> None:
    """Every day, at random, or once in five years: an item is announced by the first look after it became due, and
    not before; what a look finds does not depend on those before it."""
    rules = RULES[policy]
    first = next((at for at in sorted(looks) if due(life, life.used_at + at, rules)), None)
    state = life
    for at in [life.used_at + look for look in sorted(looks)]:
        found = decide(state._replace(promoted_at=0), at, rules)
        if found.act == Act.PEND:
            assert first is not None
            assert at == life.used_at + first
            state = state._replace(state="pending_decay", pending_at=at)
        assert found.act in (Act.KEEP, Act.PEND, Act.ARCHIVE)
    assert (state.pending_at is None) == (first is None)


@settings(derandomize=True, deadline=None, max_examples=100)
@given(life=lives, span=spans)
def test_importance_stays_between_floor_and_what_it_was(life: Life, span: int) -> None:
    now = life.weighed_at + span
    assert FLOOR <= life.importance_at(now) <= max(FLOOR, life.importance)
    assert life._replace(pinned=True).importance_at(now) == life.importance
    archived = life._replace(archived_at=now)
    assert archived.importance_at(now + 500 * DAY) == life.importance_at(now)
