"""What one transaction of outcomes enters where: sums, drifts, and the watch over live policies."""

from __future__ import annotations

from dataclasses import dataclass

from engrain.learn.credit import Ledger, contribution
from engrain.learn.drift import Drifts, Told
from engrain.learn.past import Record
from engrain.learn.watch import Heard
from engrain.model.decision import Experience


@dataclass(frozen=True, slots=True)
class Books:
    """What a transaction enters: the sums, and the rewards by which drifts are told."""

    ledger: Ledger
    drifts: Drifts
    told: Heard

    def credit(self, experience: Experience, state: tuple[str, str], weight: float, sign: int = 1) -> None:
        """Enter what an experience adds to the sums, or take it back."""
        old = self.drifts.old(experience.task_type, experience.id)
        told = contribution(experience.reward, weight, old)
        self.ledger.add(experience.agent, experience.task_type, state, experience.action, told, sign)

    def follow(self, experience: Experience, weight: float, decision: Record | None) -> None:
        """A reward became known: it may tell of a drift, unless it is from before the last one."""
        if experience.reward is None or self.drifts.old(experience.task_type, experience.id):
            return
        expected = None
        if experience.state:
            if decision is None or decision["action"] != experience.action or decision["value"] is None:
                return  # what was to be expected in its state is not known: a run of hard states would be a drift
            expected = decision["value"]
        self.drifts.tell(experience.task_type, Told(experience.action, experience.reward, weight, expected))
