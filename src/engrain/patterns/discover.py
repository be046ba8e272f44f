"""Strategies in what an agent did: an action that ends well more often, or less often, than the others in like states.

Cases are tasks: what one task (or else one episode) did under one action is one outcome, the majority of it; a tie says
nothing. Compared is an action with all others, always and under each condition on the state (see ``conditions``),
within strata of the features that have to do both with the choice and with the outcome (else easy tasks would praise
whatever was done in them). The test is exact (see ``model.exact``). Where nothing is better, at most one task type in
twenty is said anything of, ever: of a look's risk, one half is shared by the comparisons of what holds always, the
other by those under conditions (Tarone 1990), and each of the sixteen looks, at 16, 24, 36, 54 … 7,000 cases, may take
an eighth of 5 %, as they are about the same cases for the most part (Pocock 1977). What comes in between two looks is
evidence for what was found, but finds nothing, so that looking often does not wear the bound out. What holds always is
not said again of a condition.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist
from typing import Any

from engrain.model.beta import posterior
from engrain.model.exact import Stratum, chance, share
from engrain.patterns.belief import FEW, FEWER, like
from engrain.patterns.conditions import Condition, conditions, holds, of, shape, told, words
from engrain.patterns.drafts import Draft, Voice
from engrain.store.rows import to_json

SOURCE = "discovered"
RISK = 0.05  # of finding anything in a task type in which nothing is better
FIRST, GROWTH = 16, 1.5  # cases at the first look, and how many times as many at each next one
LOOKS = 8.0  # independent looks that all of them are worth
MOST = 10_000  # cases, the latest
CONFOUNDERS = 3
LIKELY = 0.25  # chance up to which a feature may have to do with something


@dataclass(frozen=True, slots=True)
class Case:
    """What came of one action in one task. ``state`` is that of its last step under the action."""

    id: str
    lineage: str
    task: str | None
    action: str
    state: Mapping[str, Any]
    text: str
    key: str
    good: bool
    evidence: str
    at: int


def cases_of(rows: Sequence[Any]) -> list[Case]:
    """Cases from rows of ``distill_experiences``, in the order in which they happened; at most the latest ``MOST``."""
    runs: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: (row["created_at"], row["id"])):
        runs[(row["task"] or row["id"], row["action"])].append(row)
    found = []
    for (_, action), run in runs.items():
        balance = sum(1 if row["success"] else -1 for row in run)
        if balance == 0:
            continue
        last, task = run[-1], run[-1]["task"]
        evidence = min((row["evidence"] for row in run), key=("executed", "verified").index)
        found.append(
            Case(last["id"], f"task:{task}" if task else last["id"], task, action, json.loads(last["state"]),
                 last["state"], last["state_key"], balance > 0, evidence, last["created_at"])
        )  # fmt: skip
    return sorted(found, key=lambda case: (case.at, case.id))[-MOST:]


def discover(task_type: str, cases: Sequence[Case], known: Sequence[Mapping[str, Any]] = ()) -> list[Draft]:
    """What a task type's cases tell, and what was ``known`` before (rules of patterns), with the evidence of today. The
    same cases give the same, in the same order."""
    before = [(of(rule["when"]), rule["action"], rule["polarity"]) for rule in known]
    found = [*before, *_fresh(task_type, cases, before)]
    return [_draft(task_type, cases, one, found) for one in found]


Finding = tuple[Condition, str, str]


def look(n: int) -> tuple[int, float]:
    """(cases of the last look when there are so many, the risk that it may take); (0, 0.0) before the first."""
    sizes = _looks()
    k = sum(size <= n for size in sizes)
    return (sizes[k - 1], RISK / LOOKS) if k else (0, 0.0)


@cache
def _looks() -> tuple[int, ...]:
    found = [FIRST]
    while (following := int(found[-1] * GROWTH)) <= MOST:
        found.append(following)
    return tuple(found)


def _fresh(task_type: str, cases: Sequence[Case], before: Sequence[Finding]) -> list[Finding]:
    size, risk = look(len(cases))
    seen = cases[:size]
    if len({case.action for case in seen}) < 2:
        return []
    strata = _strata(seen)
    tests: list[tuple[float, bool, Finding]] = []
    lowest: tuple[list[float], list[float]] = [], []  # of what holds always, of what does under conditions
    for condition in conditions([case.state for case in seen]):
        inside = [at for at, case in enumerate(seen) if holds(condition, case.state)]
        for action in sorted({seen[at].action for at in inside}):
            with_it = [at for at in inside if seen[at].action == action]
            others = [at for at in inside if seen[at].action != action]
            if len(with_it) < FEWER or len(others) < FEW:
                continue
            for polarity in ("do", "avoid"):
                p, least = chance(_table(seen, strata, with_it, others, polarity == "do"))
                if polarity == "do" or len({seen[at].action for at in inside}) > 2:
                    lowest[bool(condition)].append(least)  # of two actions, one is better when the other is worse
                best = _stands_out(seen, inside, action, polarity == "do")
                tests.append((p, best, (condition, action, polarity)))
    found: list[Finding] = []
    bounds = [share(some, risk / 2.0) for some in lowest]
    for p, best, one in sorted(
        tests, key=lambda test: (len(test[2][0]), test[0], to_json(told(test[2][0])), test[2][1:])
    ):
        if best and p <= bounds[bool(one[0])] and not any(_covers(other, one) for other in [*before, *found]):
            found.append(one)
    return found


def _covers(general: Finding, one: Finding) -> bool:
    """Whether a finding says another already."""
    return general[1:] == one[1:] and (set(shape(general[0])) <= set(shape(one[0])))


def _table(
    cases: Sequence[Case], strata: Sequence[Hashable], with_it: Sequence[int], others: Sequence[int], do: bool
) -> list[Stratum]:
    counts: dict[Hashable, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for arm, places in ((0, with_it), (2, others)):
        for at in places:
            counts[strata[at]][arm] += 1
            counts[strata[at]][arm + 1] += cases[at].good is do
    return [(n1, g1, n0, g0) for n1, g1, n0, g0 in counts.values()]


def _stands_out(cases: Sequence[Case], inside: Sequence[int], action: str, do: bool) -> bool:
    """Whether it may well be the best (or the worst) of all actions, not only better than their mean."""
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for at in inside:
        counts[cases[at].action][cases[at].good is do] += 1
    means = {name: posterior(good, bad) for name, (bad, good) in counts.items()}
    return all(means[action][2] >= mean for name, (mean, _, _) in means.items() if name != action)


# -- what makes cases comparable ---------------------------------------------------------------------------------------


def _strata(cases: Sequence[Case]) -> list[Hashable]:
    """For each case the values of the features that have to do with the choice and with the outcome."""
    names = sorted({name for case in cases for name, value in case.state.items() if value is not None})
    marks = []
    for name in names[:64]:
        bins = _bins(name, cases)
        if len(set(bins)) > 1:
            to_choice = _related(bins, [case.action for case in cases])
            to_outcome = _related(bins, [case.good for case in cases])
            if max(to_choice, to_outcome) <= LIKELY:
                marks.append((to_choice * to_outcome, name, bins))
    chosen = [bins for _, _, bins in sorted(marks, key=lambda mark: mark[:2])[:CONFOUNDERS]]
    return [tuple(bins[at] for bins in chosen) for at in range(len(cases))]


def _bins(name: str, cases: Sequence[Case]) -> list[Hashable]:
    values = [case.state.get(name) for case in cases]
    numbers = sorted(value for value in values if value is not None and _counts(value))
    if len(set(numbers)) > 4:
        cuts = [numbers[len(numbers) * part // 4] for part in (1, 2, 3)]
        return [sum(value > cut for cut in cuts) if value is not None and _counts(value) else repr(value)
                for value in values]  # fmt: skip
    return [like({name: value}) for value in values]


def _counts(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _related(one: Sequence[Hashable], other: Sequence[Hashable]) -> float:
    """About how likely two columns would be so uneven by chance (chi-square, Wilson and Hilferty 1931)."""
    cells: dict[tuple[Hashable, Hashable], int] = defaultdict(int)
    rows: dict[Hashable, int] = defaultdict(int)
    columns: dict[Hashable, int] = defaultdict(int)
    for a, b in zip(one, other, strict=True):
        cells[(a, b)] += 1
        rows[a] += 1
        columns[b] += 1
    n, free = len(one), (len(rows) - 1) * (len(columns) - 1)
    if free < 1:
        return 1.0
    squares = sum((cells[(a, b)] - x * y / n) ** 2 * n / (x * y) for a, x in rows.items() for b, y in columns.items())
    spread = 2.0 / (9.0 * free)
    return 1.0 - NormalDist().cdf(((squares / free) ** (1 / 3) - (1.0 - spread)) / spread**0.5)


# -- in words ----------------------------------------------------------------------------------------------------------


def key_of(task_type: str, one: Finding) -> str:
    """What tells a finding from others."""
    return to_json([SOURCE, task_type, list(shape(one[0])), one[1], one[2]])


def _draft(task_type: str, cases: Sequence[Case], one: Finding, found: Sequence[Finding]) -> Draft:
    condition, action, polarity = one
    do = polarity == "do"
    inside = [case for case in cases if holds(condition, case.state)]
    with_it = [case for case in inside if case.action == action]
    others = [case for case in inside if case.action != action]
    when = words(condition)
    where = f"{task_type} when {when}" if when else task_type
    counts = [(sum(case.good for case in arm), len(arm)) for arm in (with_it, others)]
    why = (
        f"{action} ended well in {counts[0][0]} of {counts[0][1]} tasks, what else was done in {counts[1][0]} of "
        f"{counts[1][1]}"
    )
    followed = with_it if do else others
    voices = tuple(
        Voice(case.lineage, case.good, case.evidence, case.at, case.task, case.text, case.key) for case in followed
    )
    advice = f"choose {action}" if do else f"do not choose {action}"
    alternatives = sorted({case.action for case in others})
    content = (
        f"{action} ends well more often than {', '.join(alternatives)}."
        if do
        else f"{action} fails more often than {', '.join(alternatives)}."
    )
    general = tuple(
        key_of(task_type, other) for other in found if other is not one and set(shape(other[0])) < set(shape(condition))
    )
    rule = {"task_type": task_type, "when": told(condition), "action": action, "polarity": polarity, "about": action}
    return Draft(
        key=key_of(task_type, one),
        source=SOURCE,
        title=f"{where}: {advice}",
        description=why[0].upper() + why[1:] + ", when this was found.",
        content=content,
        kind="strategy",
        polarity=polarity,
        why=why,
        voices=voices,
        ids=tuple(case.id for case in followed[-50:]),
        task_type=task_type,
        rule=rule,
        refines=general,
    )
