"""How likely something works, by what was verified. What was only claimed counts neither way."""

from __future__ import annotations

from engrain.fixes.tallies import Sums
from engrain.model.beta import PRIOR, TAIL, posterior, quantile
from engrain.model.fix import Odds


def odds(sums: Sums) -> Odds:
    """The posterior of verified success among the attempts whose end is known."""
    solved = max(0, min(sums.solved, sums.known))
    mean, low, high = posterior(solved, max(0, sums.known - solved))
    return Odds(sums.known, solved, sums.claimed, mean, low, high)


def lower(sums: Sums) -> float:
    """The lower bound of the odds alone, by which ways are ordered: half the work."""
    solved = max(0, min(sums.solved, sums.known))
    return quantile(solved + PRIOR, max(0, sums.known - solved) + PRIOR, TAIL)
