"""Decisions without consequences (contextual bandit), by table: empirical Bayes over the states.

The mean reward of an action in a state is drawn towards the action's mean over all states, the more the fewer outcomes
it has there (Efron and Morris 1975; Gelman and Hill 2007, chapter 12). How much states differ, τ², and how much
outcomes of one state, σ², are estimated from the log by moments. The action with the best lower bound is taken: the
posterior mean less one posterior standard deviation.

Assumes that a decision does not change which decisions come later, and that states come back: of a state that is not in
the log the table knows nothing. Actions never taken in a state stay out of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engrain.learn.empirical import Model
from engrain.learn.log import Floats
from engrain.learn.value_iteration import greedy

STANDARD = 1.0  # posterior standard deviations below the mean


@dataclass(frozen=True, slots=True)
class Shrunk:
    """By pair, [p]: the ``policy``, the posterior ``mean`` of the reward and its standard deviation ``error``.
    ``within`` is σ², ``between`` τ²."""

    policy: Floats
    mean: Floats
    error: Floats
    within: float
    between: float


def shrunk(model: Model, *, standard: float = STANDARD) -> Shrunk:
    """The table of a model whose transitions all end."""
    weight, reward = model.weight, model.reward
    within = model.spread(np.zeros(model.states), 0.0) ** 2
    actions = len(model.actions)
    evidence = np.bincount(model.action, weight, actions)
    prior = np.bincount(model.action, weight * reward, actions)[model.action] / evidence[model.action]
    # DerSimonian and Laird 1986: what differs between states beyond the noise of their means.
    beyond = float((weight * (reward - prior) ** 2).sum()) - within * float(len(weight) - np.count_nonzero(evidence))
    scale = float((evidence - np.bincount(model.action, weight * weight, actions) / np.maximum(evidence, 1e-300)).sum())
    between = max(0.0, beyond / scale) if scale > 0.0 else 0.0
    # Precisions of the state's own outcomes and of the action elsewhere; no noise at all leaves nothing to shrink.
    share = between * weight / (between * weight + within) if within > 0.0 else np.ones(len(weight))
    mean = prior + share * (reward - prior)
    # The prior mean is an estimate, too: where nothing differs between states, its error is that of all outcomes.
    error = np.sqrt(within * share / weight + (1.0 - share) ** 2 * within / evidence[model.action])
    return Shrunk(greedy(model, mean - standard * error), mean, error, within, between)
