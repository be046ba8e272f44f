"""The gate: whether a policy may replace what is live.

A candidate passes when the lower bound of what it would earn lies above the estimate of what is live. The bound is that
of its lead: both are told from the same outcomes, and what they share must not blur it. Where another policy is live
only decisions that the two would make differently are judged; everywhere else the lead is 0 and needs no support. After
a promotion these came about under several ways of deciding, some of which hardly ever did what one of the two would do
(compare Agarwal et al. 2017): they are judged by all of them or by one, whichever makes more of the outcomes for both.
Only executed and verified outcomes with a logged propensity speak.

A policy that is judged by the outcomes it was trained on looks better than it is, and where actions are equally good
the best of them by chance looks better in every fold of a cross-validation, too. So what is judged is the training, in
the order of time: the first part of the sources only trains, the rest is cut into blocks, and each block is judged by a
rule trained on all that came before it (Luedtke and van der Laan 2016: valid also where the best choice is not unique).
What ships is trained on all. A rule that was made elsewhere, or before the outcomes came, is judged as it is
(``judge_fixed``).

When several candidates are tried, the confidence of each bound is raised so that it holds for all of them together
(Bonferroni). Where episodes are judged, the marginalised estimate, which rests on states saying all that matters, must
not be contradicted by the one that follows each episode step by step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from engrain.learn import decisions, episodes
from engrain.learn.direct import compared, decided
from engrain.learn.evaluate import CONFIDENCE, FOLDS
from engrain.learn.intervals import Told, kish
from engrain.learn.log import Counts, Floats, Ints, Log
from engrain.learn.rule import Decider
from engrain.learn.sample import Sample, blocks_of, fold_of, has_episodes, sample_of
from engrain.learn.tally import Tally
from engrain.model.policy import CONTRADICTED, Estimate, Verdict

Train = Callable[[Counts], Decider]
SURE = 0.99  # confidence of the lead: of what is no better one in 200 passes
FIRST = 0.4  # of the outcomes that only train
CONTRADICTING = 100.0  # episodes in effect from which on the method that follows them step by step can contradict
PROBABLY = 0.68  # confidence, two-sided, with which the online learner must not be better
RECENT = 0.5  # of the outcomes that tell what the behaviour is now, when none only train


@dataclass(frozen=True, slots=True)
class _Case:
    """What is judged, and how: ``confidence`` is that of the estimates, ``sure`` that of the lead."""

    sample: Sample
    fold: Ints
    discount: float
    floor: float
    seed: int
    confidence: float
    sure: float

    @property
    def together(self) -> bool:
        return has_episodes(self.sample.log, self.discount)


def judge(
    log: Log,
    train: Train,
    live: Decider | None,
    *,
    discount: float = 0.0,
    seed: int = 0,
    floor: float = 0.0,
    online: Callable[[Counts], Decider | None] | None = None,
    folds: int = FOLDS,
    confidence: float = SURE,
    tried: int = 1,
) -> Verdict:
    """Whether what ``train`` makes of such outcomes may replace ``live``; None: the online learner, which earns what
    the behaviour did in the outcomes that are judged. What ``online`` makes of the same experiences, the learner's rule
    by then, must not probably be better either; it is asked for decisions that stand alone only, since the learner
    looks no further ahead.

    ``floor`` is the exploration that will be mixed in, ``confidence`` that of the lead, ``tried`` how many candidates
    are judged on these outcomes.
    """
    sample = sample_of(log, has_episodes(log, discount))
    fold, whole = blocks_of(sample, folds, FIRST, seed)
    case = _Case(sample, fold, discount, floor, seed, _corrected(CONFIDENCE, tried), _corrected(confidence, tried))
    if not (fold >= 0).any():
        return _nothing(case)
    tally, rules, learners = Tally(log, whole), list[Decider](), list[Decider | None]()
    asked = online if online is not None and live is None and not case.together else None
    for block in range(1 + int(fold.max())):
        empty = rules and not (fold == block).any()
        counts = None if empty else tally.before(block)
        rules.append(rules[-1] if counts is None else train(counts))
        if asked is not None:
            learners.append(learners[-1] if counts is None else asked(counts))
    known = [one for one in learners if one is not None]
    return _judged(case, rules, live, known if learners and len(known) == len(learners) else None)


def judge_fixed(
    log: Log,
    rule: Decider,
    live: Decider | None,
    *,
    discount: float = 0.0,
    seed: int = 0,
    floor: float = 0.0,
    confidence: float = SURE,
    tried: int = 1,
) -> Verdict:
    """The same for a rule that none of these outcomes helped to make."""
    sample = sample_of(log, has_episodes(log, discount))
    bounds = _corrected(CONFIDENCE, tried), _corrected(confidence, tried)
    case = _Case(sample, fold_of(sample, FOLDS, seed), discount, floor, seed, *bounds)
    if not len(sample):
        return _nothing(case)
    return _judged(case, [rule] * (1 + int(case.fold.max())), live, None)


def _corrected(confidence: float, tried: int) -> float:
    return 1.0 - (1.0 - confidence) / max(1, tried)


def _judged(case: _Case, rules: Sequence[Decider], live: Decider | None, online: Sequence[Decider] | None) -> Verdict:
    if live is not None and not case.together:
        return _against(case, rules, live)
    told, *others = _told(case, rules)
    verdict = _verdict(case, told, others, _live(case, live))
    return _unrivalled(case, verdict, told, online) if verdict.passed and online is not None else verdict


def _against(case: _Case, rules: Sequence[Decider], live: Decider) -> Verdict:
    """The verdict where the candidate and the live policy differ; its numbers are those of all decisions."""
    whole = _live(case, live)
    if whole.refused is not None:
        whole = _behaviour(case)
    there, weights = compared(case.sample, case.fold, rules, live, case.floor)
    if not there.any():
        same = whole.estimate(case.confidence, case.seed)
        return Verdict(False, f"No better: it would do the same in all {same.n:,} outcomes.", same, same)
    part = replace(case, fold=np.where(_telling(case, there, weights), case.fold, -1))
    told, *others = _told(part, rules)
    now, share = _live(part, live), float(there.sum() / (case.fold >= 0).sum())
    if now.refused is not None:
        return _verdict(part, told, others, now)
    told, *others = (_of_all(one, whole.value + share * (one.value - now.value), share) for one in (told, *others))
    return _verdict(part, told, others, _of_all(now, whole.value, share), whole)


def _telling(case: _Case, there: NDArray[np.bool_], weights: Floats) -> NDArray[np.bool_]:
    """Of the decisions [n] to judge by those of one way of deciding, or all: the ones that tell most, in effect, of
    both the candidate and what is live (``weights`` [n, 2]), and leave nothing of either without support."""

    def known(some: NDArray[np.bool_]) -> float:
        sides = weights[some].T
        if max(decisions.untried(side) for side in sides) > decisions.UNTRIED:
            return 0.0
        return min(kish(side, case.sample.cluster[some]) for side in sides)

    label = case.sample.log.policy[case.sample.rows]
    return max([there, *(there & (label == one) for one in np.unique(label[there]))], key=known)


def _of_all(told: Told, value: float, share: float) -> Told:
    """What was told of a ``share`` of decisions, as of all of them, which are worth ``value``."""
    rare = None
    if told.rare is not None:
        below, above = told.rare
        rare = (replace(below, far=below.far * share), replace(above, far=above.far * share))
    return replace(
        told, value=value, influence=told.influence * share, floor=told.floor * share, rare=rare,
        bounds=(-math.inf, math.inf),
    )  # fmt: skip


def _unrivalled(case: _Case, verdict: Verdict, told: Told, online: Sequence[Decider]) -> Verdict:
    """The verdict, unless the online learner is probably better by now than the behaviour that was logged was."""
    rival = _told(case, online, others=False)[0]
    lead = _lead(told, rival)
    behind = lead.estimate(PROBABLY, case.seed).high if lead is not None else None
    if behind is None or behind >= 0.0:
        return verdict
    why = f"The online learner is probably better by now: it would earn {rival.value:.3g} a decision, the policy "
    return replace(verdict, passed=False, reason=f"{why}{told.value:.3g}.")


def _told(case: _Case, rules: Sequence[Decider], others: bool = True) -> list[Told]:
    """What the default method says of rules, each on its fold; then what the ``others`` do."""
    if case.together:
        lived = episodes.led(case.sample, case.fold, rules, case.discount, case.floor)
        names = episodes.METHODS if others else episodes.METHODS[:1]
        return [episodes.tell(lived, name) for name in names]
    single = decided(case.sample, case.fold, rules, case.floor)
    every = [decisions.DEFAULT, *(name for name in decisions.METHODS if others and name != decisions.DEFAULT)]
    return [decisions.tell(single, name) for name in every]


def _live(case: _Case, live: Decider | None) -> Told:
    """What is live: its rule; else what the behaviour earned lately."""
    if live is not None:
        found = _told(case, [live] * (1 + int(case.fold.max())), others=False)[0]
        return replace(found, method=f"live policy, {found.method}")
    return _behaviour(case)


def _behaviour(case: _Case) -> Told:
    """What the logged behaviour earned of late, a decision or an episode: in the blocks that are judged, else in the
    latest half; of episodes that were cut off, with what would have followed."""
    sample, fold = case.sample, case.fold
    reward, first = sample.log.reward[sample.rows], np.flatnonzero(sample.begins)
    at, cluster, method = sample.log.at[sample.rows], sample.cluster, "mean of the latest logged rewards"
    if case.together:
        episode = np.cumsum(sample.begins) - 1
        power = case.discount ** (np.arange(len(reward)) - first[episode])
        cut = episodes.tails(sample.log, sample.rows, sample.begins, case.discount)
        reward = np.bincount(episode, power * reward).astype(np.float64) + cut
        at, cluster, fold, method = at[first], cluster[first], fold[first], "mean of the latest logged episodes"
    on = fold >= 0
    reward, at, cluster = reward[on], at[on], cluster[on]
    recent = at >= np.quantile(at, 0.0 if len(on) > len(at) else RECENT)
    value = float(reward[recent].mean())
    influence = np.where(recent, reward - value, 0.0) * (len(recent) / recent.sum())
    return Told(method, value, influence, cluster, kish(recent.astype(np.float64), cluster))


def _lead(told: Told, now: Told) -> Told | None:
    """The difference of two estimates that rest on the same units: what they share does not blur it."""
    if told.refused is not None or now.refused is not None:
        return None
    value, influence = told.value - now.value, told.influence - now.influence
    return Told("lead", value, influence, told.cluster, told.effective, told.floor, told.rare)


def _nothing(case: _Case) -> Verdict:
    left = f" ({case.sample.left_out:,} are only claimed, or without it)" if case.sample.left_out else ""
    why = f"There are too few executed or verified outcomes of decisions whose propensity was logged{left}."
    none = Estimate("none", None, None, None, len(case.sample), 0.0, case.confidence, why)
    return Verdict(False, f"Not enough is known of what it would earn. {why}", none, none)


def _verdict(case: _Case, told: Told, others: Sequence[Told], now: Told, whole: Told | None = None) -> Verdict:
    """The interval of the candidate is that of its lead over ``now``, from what is live on. ``whole`` is what is told
    of what is live in all outcomes, where ``now`` rests on a part of them."""
    lead, live = _lead(told, now), (now if whole is None else whole).estimate(case.confidence, case.seed)
    candidate = (told if lead is None else replace(lead, method=told.method, value=told.value)).estimate(
        case.sure, case.seed
    )
    further = tuple(one.estimate(case.confidence, case.seed) for one in others)
    low = told.estimate(case.confidence, case.seed).low
    against = next((one for one in further if low is not None and _contradicts(one, low)), None)
    passed, reason = _decided(case, candidate, against, live)
    return Verdict(passed, reason, candidate, live, further)


def _decided(case: _Case, candidate: Estimate, against: Estimate | None, live: Estimate) -> tuple[bool, str]:
    unit = "an episode" if case.together else "a decision"
    if candidate.value is None or candidate.low is None or live.value is None:
        if candidate.refused is None:
            return False, f"What is live cannot be judged by these outcomes. {live.refused}"
        return False, f"Not enough is known of what it would earn. {candidate.refused}"
    units = "episodes" if case.together else "outcomes" if candidate.n == live.n else "outcomes where they differ"
    known = f"{candidate.n:,} {units}, worth {candidate.effective:,.0f}"
    earns = f"it would earn {candidate.value:.3g} {unit}, at least {candidate.low:.3g} ({100 * case.sure:.4g} % sure"
    earns = f"{earns}; {known}); what advises now earns {live.value:.3g}"
    if candidate.value <= live.value:
        return False, f"No better: {earns}."
    if candidate.low <= live.value:
        return False, f"Not sure to be better: {earns}."
    if case.together and against is not None:
        return False, (
            f"{CONTRADICTED}: {earns}, but {against.method} says {against.value:.3g}, at most "
            f"{against.high:.3g}. The state may not say all that matters."
        )
    return True, f"Better: {earns}."


def _contradicts(one: Estimate, low: float) -> bool:
    """Whether the estimate that assumes nothing of the states rests on enough and lies wholly below."""
    if one.method != episodes.STEPWISE or one.effective < CONTRADICTING or one.high is None:
        return False
    return one.high < low
