"""The rules that look for patterns: how a task ended, what is better than what, what says the same. No store."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engrain.errors import InvalidInput
from engrain.fixes.masks import mask
from engrain.fixes.plans import does_something
from engrain.intake import trajectory
from engrain.model.exact import chance, share
from engrain.model.pattern import Step, Trajectory
from engrain.patterns.consolidate import differ
from engrain.patterns.discover import MOST, Case, discover, look
from engrain.patterns.distil import distil, runs_of
from engrain.patterns.judge import judge

GREEN, RED = Step("pytest", {}, tests=(4, 0)), Step("pytest", {}, tests=(3, 1))


def ended(*steps: Step, told: bool | None = None, evidence: str | None = None) -> tuple[bool | None, str]:
    found = judge(steps, told, evidence, does_something)
    assert found.why
    return found.success, found.evidence


def says(output: str) -> bool | None:
    return ended(Step("work", {}, output))[0]


def test_the_surest_signal_decides_and_a_contradiction_is_unknown() -> None:
    assert ended(RED, GREEN) == (True, "executed"), "the tests that ran last"
    assert ended(GREEN, Step("deploy", {}, exit_code=1)) == (True, "executed"), "tests beat exit codes"
    assert ended(RED, told=True) == (False, "executed"), "tests beat what is claimed"
    assert ended(RED, told=True, evidence="executed") == (None, "executed")
    assert ended(RED, told=True, evidence="verified")[0] is None
    assert ended(GREEN, told=True, evidence="verified") == (True, "verified")
    assert ended(Step("make", {}, "error: x", exit_code=0)) == (True, "executed"), "exit codes beat words"
    assert ended(Step("make", {}, exit_code=0, success=False))[0] is None
    assert ended(Step("echo done", {}, exit_code=0)) == (None, "claimed"), "an echo proves nothing"
    assert ended(Step("x", {}, success=True), told=False)[0] is None
    assert ended(Step("x", {}, success=True)) == (True, "claimed")
    assert ended(Step("x", {}, tests=(0, 0))) == (None, "claimed"), "no test ran"


def test_words_are_weak_and_an_error_that_did_not_happen_is_none() -> None:
    # Upstream: success when no step contains "error" and one contains "complete".
    assert says("Completed, 0 errors, no failures") is True
    assert says("wrote the error handler; all tests passed") is True
    assert says("Traceback (most recent call last):\nKeyError: 'a'") is False
    assert says("build not completed") is False
    assert says("completed, but the upload failed") is None
    assert says("42") is None
    assert ended(Step("x", {}, "all tests passed"))[1] == "claimed", "which teaches nothing"


@settings(max_examples=40, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
        lambda deeper: (
            st.lists(deeper, max_size=4)
            | st.dictionaries(st.sampled_from([*Step.__slots__, "other"]), deeper, max_size=6)
        ),
        max_leaves=12,
    )
)
def test_any_steps_are_taken_or_refused_in_our_words(given_: Any) -> None:
    try:
        steps = trajectory.steps(given_, True)
    except InvalidInput:
        return
    assert steps
    judge(steps, None, None, does_something)
    assert trajectory.steps(steps, True) == steps


# -- discovery ---------------------------------------------------------------------------------------------------------


def world(seed: int, n: int, gain: float, *, easy: bool = False) -> list[Case]:
    """Tasks with four features and four actions: "good" is better by ``gain``. ``easy``: where tasks are easy (flag),
    "lucky" is chosen more often, and nothing is better than anything."""
    dice, found = random.Random(seed), []
    for at in range(n):
        state = {"framework": dice.choice("abc"), "size": round(dice.random(), 2), "flag": dice.random() < 0.5}
        action = dice.choice(["good", "plain", "slow", "lucky"])
        if easy:
            action = dice.choice(["lucky"] * 3 + ["plain"] if state["flag"] else ["plain"] * 3 + ["lucky"])
        share_ = (0.75 if state["flag"] else 0.25) + (gain if action == "good" else 0.0)
        found.append(
            Case(f"{at:05d}", f"task:{at}", str(at), action, state, "{}", "k", dice.random() < share_, "executed", at)
        )
    return found


def titles(cases: Sequence[Case]) -> list[str]:
    return [draft.title for draft in discover("build", cases)]


@pytest.mark.parametrize("easy", [False, True])
def test_where_nothing_is_better_hardly_ever_anything_is_found_however_often_one_looks(easy: bool) -> None:
    wrong = 0
    for seed in range(40):
        cases = world(seed, 130, 0.0, easy=easy)
        wrong += any(titles(cases[:n]) for n in (16, 24, 36, 54, 81, 121, 130))
    assert wrong <= 2, "one in twenty"


def test_what_is_better_is_found_once_with_its_condition_and_the_same_each_time() -> None:
    cases = world(1, 400, 0.25)
    assert titles(cases) == titles(list(cases)) == ["build: choose good"]
    dice = random.Random(2)
    some = [
        Case(str(at), f"task:{at}", str(at), action, {"framework": name}, "{}", "k", good, "executed", at)
        for at in range(160)
        for name, action in [(dice.choice(["pytest", "jest"]), dice.choice(["fuzz", "table"]))]
        for good in [dice.random() < (0.9 if (name == "pytest") == (action == "fuzz") else 0.2)]
    ]
    drafts = discover("build", some)
    assert {(draft.title) for draft in drafts} >= {
        "build when framework is pytest: choose fuzz",
        "build when framework is jest: do not choose fuzz",
    }
    assert not any(draft.title.startswith("build: ") for draft in drafts), "neither is better always"
    (known,) = [draft.rule for draft in drafts if draft.title == "build when framework is pytest: choose fuzz"]
    worse = [
        Case(one.id + "x", one.lineage + "x", None, one.action, one.state, "{}", "k", False, "executed", one.at + 900)
        for one in some
    ]
    (again,) = discover("build", worse, [known])
    assert again.voices
    assert not any(voice.success for voice in again.voices), "failures count for what was found before"


def test_exact_chances_and_looks() -> None:
    assert chance([(4, 4, 4, 0)])[0] == pytest.approx(1 / 70)  # the lady tasting tea
    assert chance([(10, 5, 10, 5)])[0] > 0.5
    assert chance([]) == chance([(3, 3, 4, 4)]) == (1.0, 1.0)
    two = chance([(4, 4, 4, 0), (4, 4, 4, 0)])[0]
    assert two == pytest.approx(1 / 70**2)
    assert share([0.5, 0.4, 0.001], 0.05) == 0.05, "what cannot get so low takes no share"
    assert look(15) == (0, 0.0)
    assert look(30)[0] == 24
    assert look(10**9)[0] <= MOST


# -- consolidation -----------------------------------------------------------------------------------------------------

ALIKE = "Retry the upload with a backoff when the service answers with status 503 before giving up"


@pytest.mark.parametrize(
    ("other", "how"),
    [
        (ALIKE + ".", None),
        (ALIKE.replace("upload", "uploads"), None),
        ("Never " + ALIKE.lower(), "opposite"),
        (ALIKE.replace("with a", "without"), "opposite"),
        (ALIKE.replace("before", "after"), "opposite"),
        (ALIKE.replace("503", "404"), "number"),
        ("Ask a person", "words"),
        (" ".join(reversed(ALIKE.split())), "words"),
    ],
)
def test_texts_that_are_nearly_alike_may_say_the_contrary(other: str, how: str | None) -> None:
    assert differ(ALIKE, other) == differ(other, ALIKE) == how


@pytest.mark.parametrize(
    ("outputs", "title"),
    [
        (("cart.py:42: KeyError", "src/shop/deep/cart.py:57:3: KeyError"), "KeyError"),
        (("KeyError at a.py:1", "KeyError at b.py:2"), "KeyError at"),
        (("a.py:3: KeyError: 'x'", "b.py:4: KeyError: 'x'"), "KeyError: 'x'"),
        (("KeyError: 'x'", "KeyError: 'y'"), "KeyError: <*>"),
        (("host.example:80: ConnectionError", "host.example:80: ConnectionError"), "host.example:80: ConnectionError"),
    ],
)
def test_where_it_failed_makes_no_pattern_of_its_own(outputs: tuple[str, str], title: str) -> None:
    runs = [
        Trajectory(
            id=f"j{at}", agent="ann", task="mend", task_type="mend", task_id=f"t{at}", success=True,
            evidence="executed", why="", visibility="private", created_at=datetime(2026, 1, 1, tzinfo=UTC),
            steps=(
                Step("pytest", {}, output, tests=(3, 1)), Step(f"edit cart.py:{at}", {}, exit_code=0), GREEN,
            ),
        )
        for at, output in enumerate(outputs)
    ]  # fmt: skip
    drafts = [one for one in distil(runs_of(runs, mask, does_something), mask) if one.kind == "error-recovery"]
    assert [one.title for one in drafts] == [f"pytest fails with {title}: edit cart.py:<*>"]
    assert drafts[0].content == "1. edit cart.py:<*>\n2. pytest"
    assert len(drafts[0].voices) == 2
