"""How much of what is in the sums counts: hearsay is capped, and what a drift outdated is drawn together.

Claims. A claim costs nothing to make, so a thousand of them from one source are one voice. Once anything of a task type
was executed or verified, all claims of one agent about one action weigh at most ``CLAIM_CAP`` verified outcomes
together, over all states; what other agents only claimed weighs that much at most, always. As long as an agent has
nothing but claims, they count as told: there is nothing better that they could outvote.

Drift. What an agent knew of an action before the last drift (see ``drift``) weighs at most ``OLD_CAP`` verified
outcomes: as much as tells equals apart. With more, what used to be bad and is the best now is not tried. Of the action
that fell more is known: it was seen to be bad. Its old outcomes, brought to the mean that it fell to, count as at most
``FALLEN_CAP`` outcomes in other states, so that an outcome or two of its own outweigh them when the alarm was false.

Claims and what is old are factors of an action, the same in each of its rows: levels that are differences of rows stay
consistent. They are computed when rows are read, so that the sums in the store stay additive, exact, and free of any
order.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engrain.learn.credit import Sums, Tally

CLAIM_CAP = 1.0
OLD_CAP = 0.1
FALLEN_CAP = 4.0


class Share(NamedTuple):
    """How much of an action's claims, old outcomes and old claims counts, 0..1; all else counts in full."""

    claim: float = 1.0
    old: float = 1.0
    old_claim: float = 1.0


WHOLE = Share()


class Fallen(NamedTuple):
    """The action by which the last drift was seen, and the mean of its rewards since it had fallen."""

    action: str
    after: float


def shares(task: Mapping[str, Tally], hearsay: bool = False) -> dict[str, Share]:
    """By action, from the rows of the whole task type of one agent. With ``hearsay`` claims are capped though there be
    nothing else: the rows are those of other agents."""
    capped = hearsay or any(tally.weight > tally.claim_weight for tally in task.values())
    return {action: _share(tally, capped) for action, tally in task.items()}


def _share(tally: Tally, capped: bool) -> Share:
    if not tally.claim_weight and not tally.old_weight:
        return WHOLE
    claim = _cap(CLAIM_CAP, tally.claim_weight - tally.old_claim_weight) if capped else 1.0
    old_claim = _cap(CLAIM_CAP, tally.old_claim_weight) if capped else 1.0
    old = _cap(OLD_CAP, tally.old_weight - (1.0 - old_claim) * tally.old_claim_weight)
    return Share(claim, old, old * old_claim)


def _cap(most: float, weight: float) -> float:
    return most / weight if weight > most else 1.0


def standing(tally: Tally, share: Share) -> Sums:
    """What a row counts for. Its visits are all the outcomes there were."""
    if share is WHOLE:
        return Sums(*tally[:4])
    all_of_it, claims = np.array(tally[1:4]), np.array(tally[4:7])
    old, old_claims = np.array(tally[7:10]), np.array(tally[10:13])
    return Sums(tally.visits, *_mixed(all_of_it, claims, old, old_claims, np.array(share)).tolist())


def fallen(tally: Tally, after: float) -> Sums:
    """What a drift told of the action that fell: its old outcomes but for claims, with their spread, at ``after``."""
    weight, total, squares = (tally[at] - tally[at + 3] for at in (7, 8, 9))
    if weight <= 0.0:
        return Sums()
    variance, counted = max(0.0, squares / weight - (total / weight) ** 2), min(FALLEN_CAP, weight)
    return Sums(0, counted, counted * after, counted * (after * after + variance))


def standing_rows(cells: NDArray[np.float64], by_action: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same for many rows: ``cells`` [12, n] are the fields of their tallies but for the visits, ``by_action``
    [3, n] the shares of their actions. Gives weight, total, squares [3, n]."""
    return _mixed(cells[:3], cells[3:6], cells[6:9], cells[9:], by_action)


def _mixed(
    all_of_it: NDArray[np.float64],
    claims: NDArray[np.float64],
    old: NDArray[np.float64],
    old_claims: NDArray[np.float64],
    share: NDArray[np.float64],
) -> NDArray[np.float64]:
    sure = (all_of_it - claims) - (old - old_claims)
    parts = share[0] * (claims - old_claims) + share[1] * (old - old_claims) + share[2] * old_claims
    return np.asarray(sure + parts, dtype=np.float64)
