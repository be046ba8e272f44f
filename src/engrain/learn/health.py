"""The health of learning: the loop's stages, what memory adds, the canary, and what somebody should look at."""

from __future__ import annotations

import json

from engrain.config import Config
from engrain.errors import EngrainError, StoreCorrupt
from engrain.learn import loop
from engrain.learn.drift import drift_of
from engrain.learn.policies import Policies
from engrain.model.fading import DAY
from engrain.model.learning import AgentDrift, Canary, LearningHealth, Stage
from engrain.model.report import Check, counted
from engrain.store.port import Store
from engrain.world import World, from_micros, span_of

WATCHED = 2  # the days for which silence is looked for are so many times those after which it counts, and more
DRIFTS = 50
NAME = "learning"


class LoopHealth:
    """Looks at the loop of one home; ``cold`` counts what is archived."""

    def __init__(self, store: Store, world: World, config: Config, policies: Policies, cold: loop.Cold) -> None:
        self._store, self._world, self._policies, self._cold = store, world, policies, cold
        self._silent = int(config.silent_days * DAY)
        every = span_of(config.every_learn) or DAY  # a dream that is to be seldom is not missed before
        self._dreams = max(self._silent, 2 * every)

    def health(self, days: int, tenant: str | None) -> LearningHealth:
        """See ``Memory.learning_health``."""
        found = loop.counted_loop(self._store, self._cold, self._world.now(), days, tenant)
        stages = loop.stages(found, self._silent, self._dreams)
        gains = loop.tasks(found)
        return LearningHealth(
            from_micros(found.now), days, tenant, _alive(found, stages), stages, loop.weeks(found), gains,
            loop.worse(gains), loop.calibration(found), self._canary(), found.archive,
            tuple(self._notes(found, stages, tenant)), self._drifts(found.now, days, tenant),
        )  # fmt: skip

    def silence(self) -> dict[str, str] | None:
        """The silent stages of the whole home with what is wrong; None when that cannot be known."""
        days = WATCHED * (self._dreams // DAY + 1)
        found = loop.counted_loop(self._store, self._cold, self._world.now(), days, None)
        stages = loop.stages(found, self._silent, self._dreams)
        return None if _alive(found, stages) is None else {one.name: told(one) for one in stages if one.since}

    def check(self) -> Check:
        """For the doctor."""
        try:
            silent = self.silence()
        except EngrainError as error:
            return Check(NAME, None, str(error))
        if silent is None:
            if self._cold.standing()[0]:
                return Check(NAME, None, "not known: what is archived cannot be read")
            return Check(NAME, True, "nobody has decided yet")
        detail = "; ".join(f"{name}: {one}" for name, one in silent.items()) + ": see engrain learning"
        return Check(NAME, None if silent else True, detail if silent else "no stage of the loop is silent")

    def _drifts(self, now: int, days: int, tenant: str | None) -> tuple[AgentDrift, ...]:
        asked = {"tenant": tenant, "since": (now // DAY - days + 1) * DAY, "limit": DRIFTS}
        return tuple(
            AgentDrift(row["tenant"], row["agent"], drift_of(row)) for row in self._store.read("drift_seen", asked)
        )

    def _canary(self) -> Canary | None:
        rows = self._store.read("home_get", {"name": "canary"})
        if not rows:
            return None
        try:
            one = json.loads(rows[0]["value"])
        except ValueError as error:
            raise StoreCorrupt("What the canary said is not JSON any more. Run engrain doctor --canary.") from error
        return Canary(from_micros(one["at"]), bool(one["ok"]), one["detail"])

    def _notes(self, found: loop.Loop, stages: tuple[Stage, ...], tenant: str | None) -> list[str]:
        notes = [f"cannot advise, the online learner does: {one}" for one in self._policies.unreadable(tenant)]
        if found.archive not in (loop.READ, loop.NONE):
            notes.append(f"archived outcomes are not counted in: {found.archive}")
        if found.dream is not None and found.dream["state"] == "failed":
            notes.append(f"the last dream failed in {found.dream['phase']}{loop.why(found.dream)}")
        outcomes, proven = (next(one for one in stages if one.name == name) for name in ("outcome", "verified"))
        if proven.of and not proven.n:
            known = counted(proven.of, "outcome")
            notes.append(f"of {known} none is known by more than a claim: no policy can be judged, no gain be shown")
        if outcomes.of and outcomes.n * 2 < outcomes.of:
            notes.append(f"only {outcomes.n:,} of {counted(outcomes.of, 'decision')} have an outcome: call observe")
        return notes


def told(stage: Stage) -> str:
    """What is wrong with a stage that is silent."""
    return f"silent since {stage.since:%Y-%m-%d %H:%M} UTC ({stage.about})"


def _alive(found: loop.Loop, stages: tuple[Stage, ...]) -> bool | None:
    if any(one.state == "silent" for one in stages) and found.archive in (loop.READ, loop.NONE):
        return False
    if found.archive not in (loop.READ, loop.NONE) or not any(one.state != "nothing" for one in stages):
        return None
    return True
