"""Off-policy evaluation of episodes: the discounted sum of rewards under a rule, from episodes that another one led.

With the weights rho_t = prod (rule's probability / logged propensity) up to step t:

weighted per-decision importance sampling   sum_t discount^t sum_e rho_t r_t / sum_e rho_t (Precup, Sutton and Singh
                                            2000; weighted as in Thomas 2015). Assumes nothing of the states; after a
                                            few dozen steps little is left of the sample.
fitted Q                                    the value of the episodes' first states in the empirical model (Le, Voloshin
                                            and Yue 2019; with a table this is policy evaluation on counts).
doubly robust, per decision                 the same, with its errors along the episodes added with rho (Jiang and Li
                                            2016), the weights normalised (Thomas and Brunskill 2016).
doubly robust, marginalised                 the default: errors added with the ratio of the visits that the rule would
                                            pay to a (state, action) to those it was paid (Kallus and Uehara 2020; Xie,
                                            Ma and Wang 2019). The product over time falls away, and with it nearly all
                                            variance; it assumes that a state says all that matters (Markov).

The model of a fold's episodes is made of the other folds' (cross-fitting), and so is the rule when it is trained here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engrain.learn.chain import Chain, Steps, steps_of
from engrain.learn.decisions import LEAST_CLUSTERS, UNTRIED, told_of
from engrain.learn.intervals import Rare, Told, kish
from engrain.learn.log import END, Floats, Ints, Log
from engrain.learn.rule import Decider
from engrain.learn.sample import Sample, chances

DEFAULT = "doubly robust, marginalised"
STEPWISE = "doubly robust, per decision"
WEIGHTED = "weighted per-decision importance sampling"
FITTED = "fitted Q"
METHODS = (DEFAULT, STEPWISE, WEIGHTED, FITTED)
LEAST_EPISODES = 10.0  # in effect
UNFINISHED = 0.01  # share of its visits that may be still to come at the horizon
_TINY = 1e-12


@dataclass(frozen=True, slots=True)
class Led:
    """A sample of m episodes under a rule. By row [n]: ``episode``, ``step`` (0..), ``reward``, ``weight`` (rule's
    probability over the logged one), ``ratio`` (of visits), ``error`` (reward and what followed beyond what the model
    said), ``value`` (of the state, in the model). By episode [m]: ``start`` (value of its first state), ``cluster``,
    ``gained`` (discounted sum of rewards as it went). ``untried`` and ``unfinished`` are shares of the rule's visits.
    """

    episode: Ints
    step: Ints
    reward: Floats
    weight: Floats
    ratio: Floats
    error: Floats
    start: Floats
    cluster: Ints
    gained: Floats
    untried: float
    unfinished: float
    discount: float


def led(sample: Sample, fold: Ints, rules: Sequence[Decider], discount: float, floor: float = 0.0) -> Led:
    """``rules[f]`` on the episodes of fold f; those of fold -1 are not judged, but the models learn from them."""
    log, rows = sample.log, sample.rows
    state, reward = log.state[rows], log.reward[rows]
    steps = steps_of(state, log.action[rows], log.next[rows], len(log.keys), max(1, len(log.actions)))
    episode = np.cumsum(sample.begins) - 1
    first = np.flatnonzero(sample.begins)
    step = np.arange(len(rows)) - first[episode] if len(rows) else episode
    weight, ratio, error = np.ones(len(rows)), np.zeros(len(rows)), np.zeros(len(rows))
    start, shares = np.zeros(len(first)), np.zeros(2)
    held = fold[first]
    begins = np.bincount(state[first], minlength=len(log.keys)) / max(1, len(first))
    paid = np.bincount(steps.pair, minlength=len(steps.state)) / max(1, len(first))
    chains = Chain.without(steps, reward, fold, len(rules))
    known: dict[int, tuple[Floats, NDArray[np.bool_]]] = {}  # one rule on several folds does the same on all
    for index, rule in enumerate(rules):
        mine, own = np.flatnonzero(fold == index), np.flatnonzero(held == index)
        if id(rule) not in known:
            known[id(rule)] = _chances(rule, sample, steps, floor)
        chance, knows = known[id(rule)]
        followed = chains[index].follow(chance, discount)
        of_pair, of_state = followed.values()
        visits, been, unfinished = followed.visits(begins)
        start[own] = of_state[state[first[own]]]
        pair, following = steps.pair[mine], log.next[rows[mine]]
        later = np.where(following == END, 0.0, of_state[following])
        error[mine] = reward[mine] + discount * later - of_pair[pair]
        ratio[mine] = visits[pair] / paid[pair]
        weight[mine] = np.where(knows[pair], chance[pair] / sample.propensity[mine], 1.0)
        untried = float(been @ followed.unseen) / max(float(been.sum()), _TINY)
        shares += np.array([untried, unfinished]) * len(own) / max(1, int((held >= 0).sum()))
    gained = np.bincount(episode, discount**step * reward, len(first)).astype(np.float64)
    on, judged = fold >= 0, held >= 0
    return Led(
        (np.cumsum(judged) - 1)[episode[on]], step[on], reward[on], weight[on], ratio[on], error[on], start[judged],
        sample.cluster[first[judged]], gained[judged], float(shares[0]), float(shares[1]), discount,
    )  # fmt: skip


def tails(log: Log, rows: Ints, begins: NDArray[np.bool_], discount: float) -> Floats:
    """What would have come after the last of ``rows`` of each episode [m] that was cut off, at its begin: the value of
    the state that it was in, in the model of all ``rows``, where the behaviour goes on as it did. 0 where it ended and
    where nobody acted in that state. Without this a sum that was cut off would be compared to one that was not."""
    first = np.flatnonzero(begins)
    length = np.diff(np.append(first, len(rows)))
    following = log.next[rows[first + length - 1]]
    if not (following != END).any():
        return np.zeros(len(first))
    steps = steps_of(log.state[rows], log.action[rows], log.next[rows], len(log.keys), max(1, len(log.actions)))
    chain = Chain.without(steps, log.reward[rows], np.full(len(rows), -1), 1)[0]
    _, value = chain.follow(_usual(steps), discount).values()
    return np.where(following == END, 0.0, discount**length * value[following])


def _usual(steps: Steps) -> Floats:
    """How often each pair [p] was taken in its state."""
    count = np.bincount(steps.pair, minlength=len(steps.state))
    return count / np.maximum(np.bincount(steps.state, count, steps.states)[steps.state], 1.0)


def _chances(rule: Decider, sample: Sample, steps: Steps, floor: float) -> tuple[Floats, NDArray[np.bool_]]:
    """The rule's probability of each pair [p], and whether it knows what to do there: where it does not, the behaviour
    goes on as it did."""
    states = np.unique(steps.state)
    matrix, known = chances(rule, sample.log, states, floor)
    place = np.searchsorted(states, steps.state)
    return np.where(known[place], matrix[place, steps.action], _usual(steps)), known[place]


def tell(told: Led, method: str) -> Told:
    """What one of ``METHODS`` says."""
    if method == DEFAULT:
        return marginalised(told)
    if method == FITTED:
        return fitted_q(told)
    return per_decision(told, robust=method == STEPWISE)


def marginalised(told: Led) -> Told:
    """Its influence is the value that each episode stands for."""
    terms = told.start + np.bincount(told.episode, told.ratio * told.error, len(told.start))
    return _told(DEFAULT, told, terms, _effective(told))


def fitted_q(told: Led) -> Told:
    """Its interval is that of the doubly robust estimate, which the model is the larger part of."""
    terms = told.start + np.bincount(told.episode, told.ratio * told.error, len(told.start))
    off = float(told.start.mean() - terms.mean()) if len(terms) else 0.0
    return _told(FITTED, told, terms + off, _effective(told))


def per_decision(told: Led, robust: bool) -> Told:
    """Weighted per-decision importance sampling; ``robust``: of what the model does not explain."""
    name = STEPWISE if robust else WEIGHTED
    if not len(told.start):
        return _told(name, told, told.start, 0.0)
    episodes, last = len(told.start), int(told.step.max()) + 1
    rho = _products(told)
    ended = np.bincount(told.episode)  # steps of each episode
    final = rho[np.cumsum(ended) - 1]
    over = np.cumsum(np.bincount(ended, final, last + 1))[:last]  # an episode that has ended keeps its weight
    norm = np.maximum(np.bincount(told.step, rho, last) + over, _TINY)
    gain = told.error if robust else told.reward
    power = told.discount ** np.arange(last)
    mean = np.bincount(told.step, rho * gain, last) / norm
    terms = power[told.step] * rho * (gain - mean[told.step]) / norm[told.step] * episodes
    influence = np.bincount(told.episode, terms, episodes)
    tail = np.append(np.cumsum((power * mean / norm)[::-1])[::-1], 0.0)
    influence -= final * tail[ended] * episodes
    value = float(power @ mean)
    if robust:
        influence, value = influence + told.start - told.start.mean(), value + float(told.start.mean())
    return _told(name, told, influence - influence.mean() + value, kish(final, told.cluster))


def _products(told: Led) -> Floats:
    """The product of weights up to each row within its episode."""
    logs = np.log(np.maximum(told.weight, _TINY))
    first = np.flatnonzero(told.step == 0)
    total = np.cumsum(logs)
    before = np.where(first > 0, total[first - 1], 0.0)
    dead = np.cumsum(told.weight <= 0.0)
    alive = dead == np.where(first > 0, dead[first - 1], 0)[told.episode]
    return np.where(alive, np.exp(np.clip(total - before[told.episode], -700.0, 300.0)), 0.0)


def _effective(told: Led) -> float:
    """Episodes of its own that the rule would need to be known as well: m sum(ratio) / sum(ratio²), with rows of one
    source together; m at most, and all of m are worth no more than their sources."""
    alike = float(told.ratio @ told.ratio)
    if alike <= 0.0:
        return 0.0
    return min(len(told.start) * float(told.ratio.sum()) / alike, kish(np.ones(len(told.start)), told.cluster))


def _told(method: str, told: Led, terms: Floats, effective: float) -> Told:
    refused = refusal(told, effective)
    if refused is not None:
        return Told(method, math.nan, np.zeros(len(terms)), told.cluster, effective, refused=refused)
    value = float(terms.mean())
    floor = float(np.ptp(told.gained)) / (len(terms) + 2.0)
    rare = (_rare(told, told.error < -_TINY, effective, value - float(told.gained.min())),
            _rare(told, told.error > _TINY, effective, float(told.gained.max()) - value))  # fmt: skip
    return Told(method, value, terms - value, told.cluster, effective, floor, rare)


def _rare(told: Led, there: NDArray[np.bool_], effective: float, far: float) -> Rare:
    ratio = np.where(there, told.ratio, 0.0)
    return Rare(kish(ratio, told.cluster[told.episode]), effective, max(far, 0.0))


def refusal(told: Led, effective: float) -> str | None:
    """Why the episodes cannot tell what the rule would earn; None when they can."""
    m, clusters = len(told.start), int((np.bincount(told.cluster) > 0).sum())
    if not m:
        return "There is no whole episode of executed or verified outcomes of decisions with a logged propensity."
    if clusters < LEAST_CLUSTERS:
        return f"{told_of(m, clusters, 'episode')}; at least {LEAST_CLUSTERS} sources are needed."
    if told.untried > UNTRIED:
        return f"{told.untried:.0%} of its steps would be ones that nobody took there: there is no outcome of them."
    if told.unfinished > UNFINISHED:
        return "By the model of the logged episodes its own would not end."
    if effective < LEAST_EPISODES:
        return (
            f"The {m:,} episodes are worth {effective:.1f} of what it would do (at least {LEAST_EPISODES:.0f} are "
            "needed): its ways were rarely taken."
        )
    return None
