"""What feedback teaches the ranking: the algorithm on its own, with examples whose right answer is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engrain.recall import adapt
from engrain.recall.adapt import LEAST, Adapter, Example, judge, train

DIM, CANDIDATES = 32, 12
NAMES = ("words", "meaning")


def unit(rng: np.random.Generator) -> adapt.Floats:
    vector = rng.normal(size=DIM).astype(np.float32)
    found: adapt.Floats = vector / np.linalg.norm(vector)
    return found


def example(seed: int, *, helpful: str | None = "words", sign: int = 1) -> Example:
    """A question whose candidates differ in two parts; the one that is best in ``helpful`` (None: any) is judged."""
    rng = np.random.default_rng(seed)
    parts = rng.uniform(size=(CANDIDATES, 2)).astype(np.float32)
    parts /= parts.sum(axis=1).max()
    parts = parts[np.argsort(-parts.sum(axis=1))]
    verdicts = np.zeros(CANDIDATES, np.int8)
    best = int(rng.integers(CANDIDATES)) if helpful is None else int(parts[:, NAMES.index(helpful)].argmax())
    verdicts[best] = sign
    vectors = np.stack([unit(rng) for _ in range(CANDIDATES)])
    return Example(NAMES, unit(rng), parts, vectors, tuple(f"{seed}-{n}" for n in range(CANDIDATES)), verdicts)


def order(adapter: Adapter, one: Example) -> list[int]:
    names, parts = adapter.apply(one.names, one.parts.T, one.vector, one.ids, one.vectors)
    assert names == (*one.names, "asked", "learned")
    return [int(place) for place in np.argsort(-parts.sum(axis=0), kind="stable")]


def test_a_part_that_tells_what_helps_is_raised_above_one_that_does_not() -> None:
    adapter = train([example(seed) for seed in range(60)])
    assert adapter.multipliers["words"] > 1.2 * adapter.multipliers["meaning"]


def test_what_is_learned_holds_for_questions_that_were_not_seen() -> None:
    trial = judge([example(seed) for seed in range(80)])
    assert trial.passed
    adapter = train([example(seed) for seed in range(80)])
    fresh = [example(seed) for seed in range(1000, 1100)]
    before = np.mean([int(one.verdicts.argmax()) for one in fresh])
    after = np.mean([order(adapter, one).index(int(one.verdicts.argmax())) for one in fresh])
    assert after < before - 0.2


def test_verdicts_without_a_pattern_prove_no_gain() -> None:
    """Of ten such tenants, at a bound of one side of 80 %, one passes now and then."""
    passed = [judge([example(1000 * n + seed, helpful=None) for seed in range(60)]).passed for n in range(10)]
    assert sum(passed) <= 3


def test_too_few_examples_are_not_tried() -> None:
    trial = judge([example(seed) for seed in range(LEAST - 1)])
    assert (trial.examples, trial.gain, trial.low, trial.passed) == (LEAST - 1, None, None, False)
    same = [example(1)] * (2 * LEAST)
    assert judge(same).low is None, "one question asked again and again proves nothing"
    assert judge(same).examples == 1
    few = [example(seed) for seed in range(LEAST - 1)]
    assert judge([*few, *same, *few]).low is None, "nor do few that are asked often"


def test_a_question_asked_often_weighs_no_more_in_the_proof() -> None:
    examples = [example(seed, helpful=None) for seed in range(40)]
    once, often = judge(examples), judge([*examples, *examples, *examples])
    assert often.examples == once.examples == 40
    widths = [(one.gain or 0.0) - (one.low or 0.0) for one in (once, often)]
    assert widths[0] > 0
    assert widths[1] > 0.8 * widths[0], "three times the same is not three times as sure"


def test_an_item_rises_for_the_question_that_it_helped_and_sinks_where_it_did_not() -> None:
    background = [example(seed, helpful=None) for seed in range(20)]
    for sign in (1, -1):
        one = example(500, helpful=None, sign=sign)
        judged = int(one.verdicts.argmax() if sign > 0 else one.verdicts.argmin())
        adapter = train([*background, one])
        asked = adapter.asked(one.vector, one.ids)
        assert np.sign(asked[judged]) == sign
        assert np.count_nonzero(asked) == 1
        _, parts = adapter.apply(one.names, one.parts.T, one.vector, one.ids, one.vectors)
        assert np.sign(parts[-2, judged]) == sign


def test_verdicts_that_nothing_helped_teach_too() -> None:
    """The defect of the model that this replaces: failures were dropped."""
    adapter = train([example(seed, sign=-1) for seed in range(60)])
    assert adapter.multipliers["words"] < adapter.multipliers["meaning"]


def test_the_correction_turns_a_question_towards_what_helped() -> None:
    """Questions of one direction are answered by vectors of another; the correction is of low rank and finds it."""
    rng = np.random.default_rng(3)
    asked, answered = unit(rng), unit(rng)
    examples = []
    for seed in range(30):
        one = example(seed, helpful=None)
        vectors = one.vectors.copy()
        vectors[int(one.verdicts.argmax())] = answered
        examples.append(Example(one.names, asked, one.parts, vectors, one.ids, one.verdicts))
    adapter = train(examples)
    assert adapter.left.shape[1] <= adapt.RANK
    assert adapter.left.shape == adapter.right.T.shape == (DIM, min(30, adapt.RANK))
    shift = adapter.left @ (adapter.right @ asked)
    assert shift @ answered / np.linalg.norm(shift) > 0.8


def test_old_lessons_are_not_forgotten_when_others_follow() -> None:
    """Elastic weight consolidation that only shrank gradients forgot; here every training sees all examples."""
    old, new = [example(seed) for seed in range(40)], [example(seed, helpful="meaning") for seed in range(100, 140)]
    first, both = train(old), train([*old, *new])
    for one in old:
        judged = one.ids[int(one.verdicts.argmax())]
        assert first.asked(one.vector, [judged])[0] > 0.5
        assert both.asked(one.vector, [judged])[0] > 0.5
    assert both.multipliers["words"] > train(new).multipliers["words"]


def test_the_order_of_examples_does_not_matter_and_training_repeats_itself() -> None:
    examples = [example(seed) for seed in range(30)]
    one, two, again = train(examples), train(examples[::-1]), train(examples)
    assert one.multipliers == again.multipliers
    assert np.array_equal(one.left, again.left)
    assert one.multipliers == pytest.approx(two.multipliers, rel=1e-6)
    assert np.allclose(one.left @ one.right, two.left @ two.right, atol=1e-5)


def test_scores_keep_their_meaning() -> None:
    adapter = train([example(seed) for seed in range(40)])
    for seed in range(2000, 2050):
        one = example(seed)
        _, parts = adapter.apply(one.names, one.parts.T, one.vector, one.ids, one.vectors)
        scores = parts.sum(axis=0)
        assert scores.max() == pytest.approx(1.0, abs=1e-5), "the best score stays as high as it was"
        assert scores.min() > 0, "nothing relevant becomes irrelevant"
    nothing = np.zeros_like(one.parts.T)
    assert adapter.apply(one.names, nothing, one.vector, one.ids, one.vectors)[1] is nothing


def test_examples_of_another_ranking_teach_everything_but_its_weights() -> None:
    old = [replace(example(seed), current=False) for seed in range(30)]
    adapter = train(old)
    assert adapter.multipliers == {}
    assert adapter.asked(old[0].vector, old[0].ids).max() > 0.5
