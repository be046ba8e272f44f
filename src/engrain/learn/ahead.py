"""Looking ahead before there is a policy: what the online learner does where one state leads to another.

Sums of rewards by state and action know nothing of what an action leads to. Where somebody else decided so far, and
told what came next, choosing by them alone may be far worse than what was done. So until a dream's policy advises, the
agent keeps to what was done and improves on it where the evidence carries: safe policy improvement on its own
experiences (``learn.spibb``). Nothing is explored that way but by the floor; once most decisions are the learner's own
it decides by their sums, and the gate compares with what they earned. This advises before any gate has judged it; so
where a dream's gate has since found evidence that what such outcomes teach is no better, it advises no more.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from engrain.config import Config, discount_of
from engrain.learn.credit import TENANT
from engrain.learn.empirical import model_of
from engrain.learn.logged import counted, grouped
from engrain.learn.offline import COMEBACK, table
from engrain.learn.policies import CANDIDATES
from engrain.learn.rule import Rule
from engrain.learn.spibb import spibb
from engrain.model.policy import CONTRADICTED
from engrain.model.scope import Scope
from engrain.store.port import Store

LEAST, MOST = 30, 20_000  # outcomes of the agent; with more than that a dream can tell what is better
GROWTH = 1.2  # it is made anew when there are so many times as many
SHARE = 0.5  # of the latest outcomes that must have been told with a next state, of decisions of others
LATEST = 1_000


class Ahead:
    """The rules of the task types of one process, as they were last made."""

    def __init__(self, store: Store, config: Config) -> None:
        self._store, self._config = store, config

    def rule(self, scope: Scope, task_type: str, visits: int, last: tuple[int, Rule | None]) -> tuple[int, Rule | None]:
        """How many outcomes it was made of, and the rule; None where it does not fit or a gate spoke against it.
        ``visits`` are the agent's outcomes now, ``last`` is what this gave before. Only what is in the hot store
        teaches it."""
        found = last if last[0] <= visits < GROWTH * last[0] else self._made(scope, task_type, visits)
        return (0, None) if found[1] is not None and self._refused(scope, task_type) else found

    def _refused(self, scope: Scope, task_type: str) -> bool:
        """Whether a gate spoke against a candidate of this agent's or the tenant's dreams, of those that are kept."""
        asked = {"tenant": scope.tenant, "task_type": task_type, "state": "candidate", "limit": CANDIDATES}
        found = (
            row for agent in {scope.agent, TENANT} for row in self._store.read("policy_list", {**asked, "agent": agent})
        )
        return any(row["dream"] is not None and against(json.loads(row["metrics"])) for row in found)

    def _made(self, scope: Scope, task_type: str, visits: int) -> tuple[int, Rule | None]:
        discount = discount_of(self._config, task_type)
        if not LEAST <= visits <= MOST or discount == 0.0:
            return 0, None
        asked = {"tenant": scope.tenant, "agent": scope.agent, "task_type": task_type}
        found = self._store.read("experience_led", {**asked, "limit": LATEST})[0]
        if int(found["led"] or 0) < SHARE * int(found["n"]) or not found["n"]:
            return visits, None
        model = model_of(counted(grouped(self._store.read("step_counts", asked))))
        if not model.states or model.ends or float(model.visits.sum()) < COMEBACK * model.states:
            return visits, None
        safe = spibb(model, discount)
        return visits, table(model, safe.policy, safe.q)


def against(metrics: Mapping[str, Any]) -> bool:
    """Whether what a gate said is evidence against a candidate: it was estimated to be no better than what advised, or
    the methods contradicted each other. That too little is known to be sure is none."""
    if not metrics or metrics["passed"] or metrics["candidate"]["value"] is None or metrics["live"]["value"] is None:
        return False
    worse = bool(metrics["candidate"]["value"] <= metrics["live"]["value"])
    return worse or str(metrics["reason"]).startswith(CONTRADICTED)
