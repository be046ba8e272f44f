"""The parts of a home that learn, each made when first needed."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property, partial
from typing import TYPE_CHECKING

from engrain.config import Config
from engrain.model.fading import DAY
from engrain.store.port import Store, Transaction
from engrain.world import World

if TYPE_CHECKING:
    from engrain.archive.experiences import ColdExperiences
    from engrain.archive.tables import Tables
    from engrain.dream.cycle import Dreamer
    from engrain.dream.journal import Journal
    from engrain.dream.parts import Parts
    from engrain.learn.health import LoopHealth
    from engrain.learn.learner import Learner
    from engrain.learn.logged import LoggedExperiences
    from engrain.learn.policies import Policies
    from engrain.learn.record import Records

TROUBLE = "learning-failed"  # the alert of an agent that went on without learning


class LearningParts:
    """Wired over the store of a home, which is one of these."""

    store: Store
    world: World
    config: Config

    if TYPE_CHECKING:

        @property
        def tables(self) -> Tables | None: ...

    @cached_property
    def learner(self) -> Learner:
        from engrain.learn.learner import Learner

        return Learner(self.store, self.world, self.config, self.past, self._alarm)

    def _alarm(self, tx: Transaction, name: str, wrong: Mapping[str, str]) -> int:
        from engrain.lifecycle.alerts import raise_alerts

        return raise_alerts(tx, self.world, name, wrong)

    def trouble(self, subject: str, detail: str | None) -> None:
        """Raise the alert that something does not learn, or settle it."""
        from engrain.lifecycle.alerts import raise_alerts, settle_alerts

        with self.store.transaction("*") as tx:
            if detail is None:
                settle_alerts(tx, self.world, TROUBLE, [subject])
            else:
                raise_alerts(tx, self.world, TROUBLE, {subject: detail})

    @cached_property
    def past(self) -> ColdExperiences:
        """The experiences that have left the store."""
        from engrain.archive.experiences import ColdExperiences

        return ColdExperiences(self.store, lambda: self.tables)

    @cached_property
    def loop(self) -> LoopHealth:
        """Whether the loop of learning lives."""
        from engrain.archive.tally import ColdTally
        from engrain.learn.health import LoopHealth

        tally = ColdTally(self.store, lambda: self.tables)
        return LoopHealth(self.store, self.world, self.config, self.versions, tally)

    @cached_property
    def versions(self) -> Policies:
        """What was learned offline: policies and their versions."""
        from engrain.learn.policies import Policies

        return Policies(self.store, self.world)

    @cached_property
    def journal(self) -> Journal:
        """What was asked to be dreamt, and what came of it."""
        from engrain.dream.journal import Journal

        return Journal(self.store, self.world)

    @cached_property
    def dreamer(self) -> Dreamer:
        """What learns offline from what has happened."""
        from engrain.dream.cycle import Dreamer

        shadow = int(self.config.shadow_days * DAY)
        return Dreamer(self.store, self.world, self.parts, self._alarm, self.config.dream_steps, shadow)

    @cached_property
    def parts(self) -> Parts:
        """What a dream works with: what happened, the algorithms, the gate."""
        from engrain.config import discount_of
        from engrain.dream.parts import Parts
        from engrain.learn.gate import judge, judge_fixed
        from engrain.learn.offline import candidates
        from engrain.learn.snapshot import snapshot

        floor = self.config.explore_floor  # what is judged is what will be done
        gate = (partial(judge, floor=floor), partial(judge_fixed, floor=floor))
        known = (lambda task: discount_of(self.config, task), lambda counts, task: snapshot(counts, self.config, task))
        return Parts(lambda: self.logged, candidates, *gate, *known)

    @cached_property
    def logged(self) -> LoggedExperiences:
        """Experiences as training reads them: those of the store and of the archive together."""
        from engrain.archive.logged import ColdSteps
        from engrain.learn.logged import LoggedExperiences

        return LoggedExperiences(self.store, ColdSteps(self.store, lambda: self.tables))

    @cached_property
    def records(self) -> Records:
        """Why something is advised, and how policies differ."""
        from engrain.learn.record import Records

        return Records(self.store, self.world, self.config, self.versions, self.past)

    def _silence(self) -> Mapping[str, str] | None:
        return self.loop.silence()
