"""Actions are drawn from exactly the distribution that is logged."""

from __future__ import annotations

import random

import numpy as np
import pytest

from engrain.learn.exploration import CAUTION, capped, distribution, draw, mixed, plausible

KINDS = ["thompson", "ucb", "epsilon"]
CHI_SQUARE_999 = {1: 10.83, 2: 13.82, 3: 16.27, 4: 18.47, 9: 27.88}


def chi_square(counts: list[int], probabilities: list[float]) -> float:
    total = sum(counts)
    return sum((n - total * p) ** 2 / (total * p) for n, p in zip(counts, probabilities, strict=True))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("k", [1, 2, 5, 10, 200])
def test_it_sums_to_one_and_keeps_the_floor(kind: str, k: int) -> None:
    rng = np.random.default_rng(k)
    for outcomes in (0.0, 1.0, 1e4):
        found = distribution(kind, rng.normal(size=k), rng.uniform(1e-3, 2.0, size=k), np.full(k, outcomes), 0.05)
        assert found.shape == (k,)
        assert found.sum() == pytest.approx(1.0, abs=1e-12)
        assert found.min() >= 0.05 / k - 1e-12


@pytest.mark.parametrize("k", [2, 3, 5, 10])
def test_draws_follow_the_distribution(k: int) -> None:
    generator = np.random.default_rng(k)
    found = distribution("thompson", generator.normal(size=k) * 0.2, np.full(k, 1.0), np.full(k, 2.0), 0.1)
    rng = random.Random(k)
    counts = [0] * k
    for _ in range(20_000):
        counts[draw(found, rng)] += 1
    assert chi_square(counts, found.tolist()) < CHI_SQUARE_999[k - 1]
    skewed = (found + np.roll(found, 1)) / 2 if k > 2 else found[::-1]
    assert chi_square(counts, skewed.tolist()) > CHI_SQUARE_999[k - 1], "the test could not tell another distribution"


@pytest.mark.parametrize("spreads", [(0.5, 0.5), (0.01, 1.0)])
def test_thompson_is_the_share_of_posterior_draws_won(spreads: tuple[float, float]) -> None:
    generator = np.random.default_rng(7)
    for k in (2, 3, 6, 20):
        mean, spread = generator.normal(size=k) * 0.4, generator.uniform(*spreads, size=k)
        weight = np.linspace(0.0, 2.0 * (k - 1), k)
        caution = CAUTION + (1.0 - CAUTION) / (1.0 + weight)
        draws = mean + caution * spread * generator.standard_normal((40_000, k))
        shares = np.bincount(draws.argmax(axis=1), minlength=k) / len(draws)
        assert distribution("thompson", mean, spread, weight, 0.0) == pytest.approx(shares, abs=0.015)


def test_equal_actions_get_equal_shares() -> None:
    for kind in KINDS:
        found = distribution(kind, np.zeros(4), np.ones(4), np.full(4, 5.0), 0.02)
        assert found == pytest.approx(np.full(4, 0.25))


def test_thompson_tells_a_clear_winner_and_never_gives_up_on_the_uncertain() -> None:
    clear = distribution("thompson", np.array([1.9, -1.9]), np.array([0.1, 0.1]), np.full(2, 25.0), 0.0)
    assert clear[0] > 0.999
    open_question = distribution("thompson", np.array([0.5, 0.0]), np.array([0.01, 2.0]), np.array([50.0, 0.0]), 0.0)
    assert 0.1 < open_question[1] < 0.5
    tried = distribution("thompson", np.array([0.5, 0.0]), np.array([0.01, 2.0]), np.array([50.0, 50.0]), 0.0)
    assert tried[1] < open_question[1]


def test_ucb_takes_the_highest_upper_bound() -> None:
    found = distribution("ucb", np.array([1.0, 0.9, 0.0]), np.array([0.01, 0.5, 0.1]), np.full(3, 33.0), 0.03)
    assert found.tolist() == pytest.approx([0.01, 0.98, 0.01])


def test_epsilon_explores_less_the_more_is_known() -> None:
    mean, spread = np.array([1.0, 0.0]), np.ones(2)
    early, late = (distribution("epsilon", mean, spread, np.full(2, n), 0.0)[1] for n in (1.0, 1_000.0))
    assert early == pytest.approx(0.25)
    assert late < 0.001


def test_an_action_without_probability_is_never_drawn() -> None:
    class Edge(random.Random):
        def random(self) -> float:
            return 1.0 - 2**-53

    assert draw(np.array([0.5, 0.5 - 1e-12, 0.0]), Edge()) == 1


def test_what_cannot_be_the_best_is_not_explored() -> None:
    mean, high = np.array([1.0, 0.5, -1.0, 0.0]), np.array([1.2, 1.1, 0.2, 1.0])
    open_ = plausible(mean, high, np.full(4, 5.0))
    assert open_.tolist() == [True, True, False, True]
    assert plausible(mean, high, np.array([5.0, 5.0, 0.0, 5.0])).all(), "nothing is known of the third"
    for kind in KINDS:
        found = distribution(kind, mean, np.full(4, 0.5), np.full(4, 5.0), 0.06, open_)
        assert found[2] == 0.0
        assert found[open_].min() >= 0.06 / 3 - 1e-12
        assert found.sum() == pytest.approx(1.0)
    rng = random.Random(1)
    assert {draw(distribution("epsilon", mean, np.ones(4), np.ones(4), 0.5, open_), rng) for _ in range(500)} == {
        0,
        1,
        3,
    }


def test_a_rule_keeps_what_it_gives_and_the_floor_goes_to_what_is_open() -> None:
    found = mixed(np.array([0.0, 0.5, 0.5]), 0.1, np.array([True, True, False]))
    assert found.tolist() == pytest.approx([0.05, 0.5, 0.45])


def test_the_cap_bounds_everything_but_the_best() -> None:
    assert capped(np.array([0.5, 0.3, 0.2]), 0, 0.05).tolist() == pytest.approx([0.95, 0.03, 0.02])
    assert capped(np.array([0.97, 0.03]), 0, 0.05).tolist() == [0.97, 0.03]
    assert capped(np.array([0.5, 0.5]), 1, 0.0).tolist() == [0.0, 1.0]
