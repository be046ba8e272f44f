"""What is learned of one task type: for its tenant, and for each agent that has seen enough of its own."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from engrain.dream.data import Data, decisive, digest
from engrain.dream.episodes import fallen, in_pieces
from engrain.dream.figures import figures
from engrain.dream.journal import EVALUATE, INGEST, PROMOTE, REPORT, TRAIN, Journal, Standing
from engrain.dream.parts import Candidate, Parts, Task
from engrain.errors import InvalidPolicy
from engrain.learn.credit import TENANT
from engrain.learn.log import Counts, Reading
from engrain.learn.policies import EPISODE, Made, Policies
from engrain.learn.rule import Rule, TableRule
from engrain.learn.watch import Alarm, Watch, promise, subject
from engrain.lifecycle.alerts import settle_alerts
from engrain.model.policy import ROLLED_BACK, Estimate, PolicyInfo, Verdict
from engrain.model.report import counted
from engrain.store.port import Store, Transaction
from engrain.world import World, to_micros

LEAST = 30  # outcomes that can decide: executed or verified, of a decision whose propensity was logged
NO_NUMBER = "what was estimated is not a finite number"
NOTHING = TableRule({})  # what an algorithm makes of data that it does not fit
PATIENCE = 4  # shadow periods for which a policy waits that too little is known of


class Stopped(Exception):
    """It was to stop, or has used its budget up; what was done so far is kept."""


class Lesson:
    """One task type of one dream. Everything it finds out is kept before it goes on."""

    def __init__(
        self,
        store: Store,
        world: World,
        policies: Policies,
        parts: Parts,
        alarm: Alarm,
        journal: Journal,
        standing: Standing,
        shadow: int,
        stop: Callable[[], bool],
        step: Callable[[str], None],
    ) -> None:
        self._store, self._world, self._policies, self._parts = store, world, policies, parts
        self._journal, self._standing, self._shadow = journal, standing, shadow
        self._stop, self._step, self._watch = stop, step, Watch(policies, alarm)
        self._actor = f"dream:{standing.id}"
        self._whole: Data | None = None
        self._reading: tuple[int, Reading] | None = None  # and how often something had been taken away before it
        self._rules: dict[bytes, dict[str, Rule]] = {}  # of parts of the data, by what is in them

    # -- where it is ---------------------------------------------------------------------------------------------------

    def owners(self, task: Task) -> list[str | None]:
        """Whose policies to train: the tenant's, and when two agents or more have enough, theirs."""
        self._whole = self._told(task, None)
        log = self._whole.log
        enough = np.bincount(log.agent[decisive(log)]) >= LEAST
        if enough.sum() < 2:
            return [None]
        return [None, *sorted(self._parts.experiences().agents(task.tenant, task.task_type))]

    def begin(self, task: Task) -> None:
        """Note that a task type is worked on from now on."""
        self._standing.place |= {"task": task.told(), "judged": None}
        self._keep(INGEST)

    def give_up(self, task: Task, why: str) -> None:
        """Go on with the next task type; the outcomes of this one wait for the next dream."""
        finding = {**_whose(task, None), "outcome": "failed", "reason": why}
        self._standing.place |= {"task": None, "judged": None, "after": [task.tenant, task.task_type]}
        with self._store.transaction(task.tenant) as tx:
            self._journal.tell(tx, self._standing, finding)
            self._journal.step(tx, self._standing)

    def _keep(self, phase: str, tenant: str = "*") -> None:
        self._standing.phase = phase
        with self._store.transaction(tenant) as tx:
            self._journal.step(tx, self._standing)
        self._step(phase)

    def _spend(self) -> None:
        """Take a step, unless it is to stop."""
        if self._standing.steps >= self._standing.budget or self._stop():
            raise Stopped
        self._standing.steps += 1

    def _check(self) -> None:
        """Called between the sweeps of a training."""
        if self._stop():
            raise Stopped

    # -- learning ------------------------------------------------------------------------------------------------------

    def learn(self, agent: str | None) -> None:
        """Everything for one owner, from reading to what is live."""
        task = Task.of(self._standing.place["task"])
        if self._stop():
            raise Stopped
        data = self._read(task, agent)
        self._step(INGEST)
        fell = self._look_after(task, agent, data)
        task = Task.of(self._standing.place["task"])
        finding, best, verdict, version = self._study(task, agent, data, keep=True)
        self._settle(task, agent, data, finding | fell, best, verdict, version)

    def would(self, task: Task, agent: str | None) -> list[dict[str, Any]]:
        """What would be found, without keeping anything."""
        self._standing.place["judged"] = None
        return [self._study(task, agent, self._read(task, agent), keep=False)[0]]

    def _read(self, task: Task, agent: str | None) -> Data:
        """What happened; of the whole tenant it was read already, unless it goes on from an interruption."""
        self._rules = {}
        if agent is None and self._whole is not None:
            found, self._whole = self._whole, None
            return found
        self._whole = None
        return self._told(task, agent)

    def _told(self, task: Task, agent: str | None) -> Data:
        """What happened, from one reading for all owners; from another when experiences were taken away since, of which
        nothing may be learned any more."""
        gone = self._journal.purges(task.tenant, task.task_type)
        if self._reading is None or self._reading[0] != gone:
            self._reading = None  # one at a time in memory
            self._reading = gone, self._parts.experiences().reading(task.tenant, task.task_type)
        return Data.read(self._parts, task, agent, self._reading[1])

    def _study(
        self, task: Task, agent: str | None, data: Data, keep: bool
    ) -> tuple[dict[str, Any], Candidate | None, Verdict | None, int]:
        """The finding, the best candidate with its verdict, and the version that it was judged against."""
        finding = {**_whose(task, agent), **_read(data), "figures": figures(data.log)}
        enough = int(decisive(data.log).sum())
        version, live, _ = self._policies.live(task.tenant, task.task_type, agent)
        finding |= {"live": version, "decisive": enough}
        if enough < LEAST:
            told = counted(enough, "executed or verified outcome")
            why = f"{told} of decisions with a logged propensity; {LEAST} are needed"
            return {**finding, "outcome": "skipped", "reason": why}, None, None, version
        made = self._trained(data, agent, keep)
        if not made:
            return {**finding, "outcome": "skipped", "reason": "no algorithm fits these data"}, None, None, version
        verdicts = self._judged(made, data, agent, live, keep)
        finding["candidates"] = [
            {"name": name, "passed": one.passed, "reason": one.reason, **_numbers(one.candidate)}
            for name, one in verdicts.items()
        ]
        best = max(made, key=lambda one: _rank(verdicts[one.name]))
        verdict = verdicts[best.name]
        finding |= {"algorithm": best.name, "kind": best.rule.kind, "discount": data.discount, "reason": verdict.reason}
        finding |= {"before": _numbers(verdict.live), "after": _numbers(verdict.candidate)}
        finding["others"] = [_numbers(one) for one in verdict.others]
        known = self._fallen(task, agent, best.rule, data)
        if live is not None and data.alike(live, best.rule):
            finding |= {"outcome": "unchanged", "reason": f"version {version}, which is live, does the same"}
        elif known is not None and verdict.passed:
            why = f"it does the same as version {known}, which was rolled back lately"
            verdict = replace(verdict, passed=False, reason=why)
            finding |= {"outcome": "refused", "reason": why}
        elif verdict.passed and (waits := self._shadowing(task, agent)):
            verdict = replace(verdict, passed=False, reason=waits)
            finding |= {"outcome": "refused", "reason": waits}
        else:
            finding["outcome"] = ("shadow" if self._shadow else "promoted") if verdict.passed else "refused"
        return finding, best, verdict, version

    def _fallen(self, task: Task, agent: str | None, rule: Rule, data: Data) -> int | None:
        """A version that was rolled back and did the same as a rule."""
        for version, other in self._policies.fallen(task.tenant, task.task_type, agent):
            if data.alike(other, rule):
                return version
        return None

    def _shadowing(self, task: Task, agent: str | None) -> str | None:
        found = self._policies.known(task.tenant, task.task_type, agent or TENANT, "shadow", limit=1)
        return f"version {found[0].version} passed before it and is in its shadow period" if found else None

    def _trained(self, data: Data, agent: str | None, keep: bool) -> Sequence[Candidate]:
        """The candidates. Trained again when it goes on after an interruption, which gives the same ones."""
        known = self._standing.place.get("judged")
        again = known is not None and known["agent"] == agent and known["version"] == data.version
        if not again:
            self._spend()
            self._standing.place["judged"] = {"agent": agent, "version": data.version, "verdicts": {}}
        made = self._parts.train(data.counts, data.discount, seed=self._standing.seed, stop=self._check)
        if keep:
            self._keep(TRAIN)
        return made

    def _judged(
        self, made: Sequence[Candidate], data: Data, agent: str | None, live: Rule | None, keep: bool
    ) -> dict[str, Verdict]:
        kept: dict[str, Any] = self._standing.place["judged"]["verdicts"]
        seed = self._standing.seed
        for one in made:
            if one.name in kept:
                continue
            self._spend()
            train = self._trainer(one.name, data.discount)
            verdict = self._parts.judge(
                data.log, train, live, discount=data.discount, seed=seed, online=data.online, tried=len(made)
            )
            kept[one.name] = plain(verdict)
            if keep:
                self._keep(EVALUATE)
        return {one.name: verdict_of(kept[one.name]) for one in made}

    def _trainer(self, name: str, discount: float) -> Callable[[Counts], Rule]:
        """The algorithm of a candidate, for parts of the data."""

        def train(counts: Counts) -> Rule:
            mark = digest(counts)
            if mark not in self._rules:
                made = self._parts.train(counts, discount, seed=self._standing.seed, stop=self._check)
                self._rules[mark] = {one.name: one.rule for one in made}
            return self._rules[mark].get(name, NOTHING)

        return train

    # -- promoting -----------------------------------------------------------------------------------------------------

    def _settle(
        self, task: Task, agent: str | None, data: Data, finding: dict[str, Any], best: Candidate | None,
        verdict: Verdict | None, version: int,
    ) -> None:  # fmt: skip
        """Keep what came of it, and go on to the next owner, in one transaction."""
        self._standing.phase = PROMOTE
        self._step(PROMOTE)
        with self._store.transaction(task.tenant) as tx:
            now = self._policies.version(task.tenant, task.task_type, agent, at=tx)
            if finding["outcome"] in {"promoted", "shadow"} and now != version:
                finding |= {"outcome": "refused", "reason": "what is live was changed while it was judged"}
                verdict = replace(verdict, passed=False, reason=finding["reason"]) if verdict else None
            if best is not None and verdict is not None and finding["outcome"] != "unchanged":
                finding["version"] = self._enter(tx, task, agent, data, finding, best, verdict)
            self._next(tx, task, bumped=agent is None and finding["outcome"] == "promoted")
            self._journal.tell(tx, self._standing, finding)
            self._journal.step(tx, self._standing)
        self._step(REPORT)

    def _enter(
        self, tx: Transaction, task: Task, agent: str | None, data: Data, finding: Mapping[str, Any], best: Candidate,
        verdict: Verdict,
    ) -> int:  # fmt: skip
        """Make a version of a candidate, and let it advise when it passed."""
        told = {**data.told(), "algorithm": best.name}
        made = Made(
            task.tenant, agent, task.task_type, best.rule, told, self._standing.seed, finding["discount"],
            self._standing.id,
        )  # fmt: skip
        version = self._policies.add(tx, made, verdict, self._actor)
        where = (tx, task.tenant, task.task_type, version)
        if not verdict.passed:
            self._policies.judge(*where, verdict, self._actor)
            self._policies.trim(tx, task.tenant, task.task_type, agent)
        elif finding["outcome"] == "shadow":
            self._policies.shadow(*where, verdict.reason, self._actor)
        else:
            self._policies.promote(*where, verdict.reason, self._actor)
            settle_alerts(tx, self._world, ROLLED_BACK, [subject(task.tenant, agent, task.task_type)])
        return version

    def _next(self, tx: Transaction, task: Task, bumped: bool) -> None:
        """Go on to the next owner, or mark the task type as done up to where it was read. What it promoted itself has
        changed the number, too."""
        rest = replace(task, seq=task.seq + bumped, left=task.left[1:])
        self._standing.place |= {"task": rest.told() if rest.left else None, "judged": None}
        if not rest.left:
            self._standing.place["after"] = [task.tenant, task.task_type]
            mark = {"seq": rest.seq, "purges": task.purges, "rows": task.outcomes, "dream": self._standing.id}
            tx.run("dream_mark", {**_key(task), **mark, "now": self._world.now()})

    # -- what was promoted before --------------------------------------------------------------------------------------

    def _look_after(self, task: Task, agent: str | None, data: Data) -> dict[str, Any]:
        """Roll a live policy of episodes back that fell, which is told, and judge what is in its shadow period."""
        fell: dict[str, Any] = {}
        for info in self._policies.known(task.tenant, task.task_type, agent or TENANT, "live", limit=1):
            promised = promise(info.metrics)
            if info.data.get("unit") == EPISODE and promised is not None and info.live_at is not None:
                began = to_micros(info.live_at)
                cut = in_pieces(data.log, began, info.discount)
                why = fallen(data.since(began), info.version, promised, info.discount, cut)
                if why is not None:
                    with self._store.transaction(task.tenant) as tx:
                        self._watch.withdraw(tx, task.tenant, task.task_type, info.version, why)
                        self._shift(tx, task, agent)
                    fell = {"fell": f"version {info.version} was rolled back: {why}"}
        for info in self._policies.known(task.tenant, task.task_type, agent or TENANT, "shadow"):
            self._shadowed(task, agent, info, data)
        return fell

    def _shadowed(self, task: Task, agent: str | None, info: PolicyInfo, data: Data) -> None:
        made, now = to_micros(info.made_at), self._world.now()
        if now < made + self._shadow:
            return
        self._spend()
        live = self._policies.live(task.tenant, task.task_type, agent).rule
        try:
            _, rule = self._policies.find(task.tenant, task.task_type, info.version)
        except InvalidPolicy as error:  # it must not stand in the way of those that can be read
            with self._store.transaction(task.tenant) as tx:
                self._policies.retire(tx, task.tenant, task.task_type, info.version, str(error), self._actor)
            return
        log = data.since(made)
        verdict = self._parts.judge_fixed(log, rule, live, discount=info.discount, seed=self._standing.seed)
        if verdict.candidate.refused and now < made + PATIENCE * self._shadow:
            return
        where = (task.tenant, task.task_type, info.version)
        finding = {**_whose(task, agent), **_read(data), "version": info.version, "live": info.parent}
        finding |= {"before": _numbers(verdict.live), "after": _numbers(verdict.candidate), "reason": verdict.reason}
        with self._store.transaction(task.tenant) as tx:
            self._policies.judge(tx, *where, verdict, self._actor)
            if verdict.passed:
                self._policies.promote(tx, *where, verdict.reason, self._actor)
                self._shift(tx, task, agent)
            else:
                self._policies.retire(tx, *where, verdict.reason, self._actor)
            self._journal.tell(tx, self._standing, {**finding, "outcome": "promoted" if verdict.passed else "retired"})
            self._journal.step(tx, self._standing)

    def _shift(self, tx: Transaction, task: Task, agent: str | None) -> None:
        """What this dream itself made live has changed the number of the task type."""
        if agent is None:
            told = self._standing.place["task"]
            self._standing.place["task"] = {**told, "seq": told["seq"] + 1}
            self._journal.step(tx, self._standing)


def _key(task: Task) -> dict[str, Any]:
    return {"tenant": task.tenant, "task_type": task.task_type}


def _read(data: Data) -> dict[str, Any]:
    """What was read, for a finding: there, a version is one of a policy."""
    told = data.told()
    return {**{name: value for name, value in told.items() if name != "version"}, "data": told["version"]}


def _whose(task: Task, agent: str | None) -> dict[str, Any]:
    return {**_key(task), "agent": agent}


def _numbers(one: Estimate) -> dict[str, Any]:
    """An estimate as JSON values."""
    return asdict(one)


def _rank(verdict: Verdict) -> tuple[bool, float, float]:
    """Those that passed first, then by what they are worth at least."""
    one = verdict.candidate
    low, value = (-math.inf if number is None else number for number in (one.low, one.value))
    return verdict.passed, low, value


def plain(verdict: Verdict) -> dict[str, Any]:
    """A verdict as JSON values, also where its numbers are those of an array. A bound that is not finite is not known,
    a value that is not tells nothing, and nothing passes by either."""
    told: dict[str, Any] = json.loads(json.dumps(asdict(verdict), default=lambda number: number.item()))
    for one in (told["candidate"], told["live"], *told["others"]):
        one |= {name: None for name in ("low", "high") if not _finite(one[name])}
        if not _finite(one["value"]):
            one |= {"value": None, "low": None, "high": None, "refused": one["refused"] or NO_NUMBER}
        one["effective"] = one["effective"] if _finite(one["effective"]) else 0.0
    if told["passed"] and None in (told["candidate"]["low"], told["live"]["value"]):
        told |= {"passed": False, "reason": NO_NUMBER}
    return told


def _finite(number: float | None) -> bool:
    return number is not None and math.isfinite(number)


def verdict_of(told: Mapping[str, Any]) -> Verdict:
    """A verdict from its JSON values."""
    others = tuple(Estimate(**one) for one in told["others"])
    return Verdict(told["passed"], told["reason"], Estimate(**told["candidate"]), Estimate(**told["live"]), others)
