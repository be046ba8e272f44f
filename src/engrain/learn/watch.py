"""The regression watch: is a live policy still worth what it was promoted for?

What was promised is what the policy was to beat: the estimate of what was live before it. While the mean of its
rewards, given those before, is at least that, nobody can expect to win by betting that a reward is lower. So the watch
bets: ``1 + λ (promised − reward)`` multiplies its capital with each executed or verified outcome, for some λ at once.

- The capital since the policy went live comes to 1/EVER with probability EVER at most, over all time (Ville 1939;
  Waudby-Smith and Ramdas 2024, "Estimating means of bounded random variables by betting"). This finds a policy that
  never was what it seemed.
- The same begun anew whenever it is below 1 (an e-detector of the CUSUM kind; Shin, Ramdas and Rinaldo 2024) comes to
  1/AGAIN after 1/AGAIN outcomes or later on average. This finds a policy that was good and is not any more: how well it
  did before does not count.

Neither assumes anything of the rewards but their range. A policy whose rewards are above what was promised is rolled
back falsely less often than that by far. A revised outcome replaces its bet, if that was made since the policy went
live. Policies of episodes are watched episode by episode instead, by the dream.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from engrain.errors import StoreCorrupt
from engrain.learn.credit import exact
from engrain.learn.policies import DECISION, EPISODE, ONLINE, Policies, version_of
from engrain.learn.reward import HIGH, LOW
from engrain.model.decision import Experience
from engrain.model.policy import ROLLED_BACK
from engrain.store.port import Row, Store, Transaction
from engrain.world import to_micros

ACTOR = "watch"
EVER = 0.01
AGAIN = 1e-5
PARTS = (0.05, 0.1, 0.2, 0.4, 0.8)  # of the highest stake at which the capital cannot come to nothing
NOTHING = (0.0,) * len(PARTS)  # won or lost
NARROWEST = 0.125  # of the range, as which what lies above the promise is taken at least

Alarm = Callable[[Transaction, str, Mapping[str, str]], object]
"""Raise an alert: its name, and what is wrong with each subject."""


class Bets(NamedTuple):
    """Logarithms of the capital of each stake: since it went live, and since it was last below 1."""

    ever: tuple[float, ...] = NOTHING
    since: tuple[float, ...] = NOTHING

    def after(self, won: Sequence[float], replaced: Sequence[float] = NOTHING) -> Bets:
        """With the logarithms that one outcome multiplies the capital by, and those of the outcome that it replaces.
        What had been lost since the capital was last below 1 is not given back: by now it may not be a part of that,
        and good outcomes that become a little less good would look like a fall."""
        ever = tuple(one + more - less for one, more, less in zip(self.ever, won, replaced, strict=True))
        since = zip(self.since, won, replaced, strict=True)
        return Bets(ever, tuple(max(one - max(less, 0.0), 0.0) + more for one, more, less in since))

    def verdict(self) -> str | None:
        """What it has found, in words; None while nothing."""
        if _mixed(self.ever) >= -math.log(EVER):
            return f"all of them together speak against that (falsely in {EVER:.0%} of policies at most)"
        if _mixed(self.since) >= -math.log(AGAIN):
            return f"the latest speak against that (falsely once in {1 / AGAIN:,.0f} at most)"
        return None


def _mixed(logs: Sequence[float]) -> float:
    """The logarithm of the mean capital."""
    top = max(logs)
    return top + math.log(sum(math.exp(one - top) for one in logs) / len(logs))


def stakes(promised: float, low: float = LOW, high: float = HIGH) -> list[float]:
    """How much is bet for each unit by which a reward in ``low``..``high`` is below what was promised."""
    most = 1.0 / max(high - promised, NARROWEST * (high - low))
    return [part * most for part in PARTS]


def winnings(reward: float, promised: float, low: float = LOW, high: float = HIGH) -> list[float]:
    """Logarithms of what a reward multiplies the capital of each stake by."""
    promised = min(max(promised, low), high)
    return [math.log1p(stake * (promised - reward)) for stake in stakes(promised, low, high)]


def promise(metrics: Mapping[str, Any]) -> float | None:
    """What a policy was to beat, in the metrics of its gate; None for one that was not judged."""
    live = metrics.get("live") if isinstance(metrics, dict) else None
    value = live.get("value") if isinstance(live, dict) else None
    return float(value) if isinstance(value, int | float) else None


class Change(NamedTuple):
    """One outcome: the reward that it had ``before``, and has ``after``; None for none, or one that is only claimed.
    ``at`` is when it was told first (µs UTC)."""

    before: float | None
    after: float | None
    at: int


class Heard:
    """What a batch of outcomes says of the policies that made the decisions, by task type and version."""

    def __init__(self) -> None:
        self.changes: dict[tuple[str, int], list[Change]] = {}

    def add(self, policy: str, advised: str | None, now: Experience, was: Experience | None = None) -> None:
        """``policy`` as it was logged with the decision; ``was`` is what is replaced. An action that somebody else
        chose tells nothing of it."""
        before, after = (_known(one, advised) for one in (was, now))
        version = version_of(policy)
        if (before, after) != (None, None) and version != ONLINE:
            change = Change(before, after, to_micros(now.created_at))
            self.changes.setdefault((now.task_type, version), []).append(change)


def _known(experience: Experience | None, advised: str | None) -> float | None:
    """The executed or verified reward of what was advised."""
    if experience is None or experience.outcome.evidence == "claimed" or experience.action != advised:
        return None
    return None if experience.reward is None else float(experience.reward)


class Watch:
    """Keeps the sums of policies, and rolls back those that fell."""

    def __init__(self, policies: Policies, alarm: Alarm | None) -> None:
        self._policies, self._alarm = policies, alarm

    def see(self, tx: Transaction, tenant: str, told: Heard) -> None:
        """Enter outcomes in the transaction that records them. The tenant's scopes of their task types are locked."""
        for (task_type, version), changes in sorted(told.changes.items()):
            key = {"tenant": tenant, "task_type": task_type, "version": version}
            found = tx.read("policy_watched", key)
            if not found:
                continue  # it was purged
            row = found[0]
            bets, promised = _bets(row), promise(json.loads(row["metrics"]))
            if json.loads(row["data"]).get("unit", DECISION) == EPISODE or row["state"] != "live":
                promised = None
            n, total, squares, fallen = 0, 0.0, 0.0, None
            for before, after, at in changes:
                for reward, sign in ((before, -1), (after, 1)):
                    if reward is not None:
                        n, total = n + sign, total + sign * exact(reward)
                        squares += sign * exact(reward * reward)
                if promised is not None and (before is None or at >= (row["live_at"] or 0)):
                    bets = bets.after(*(NOTHING if one is None else winnings(one, promised) for one in (after, before)))
                    fallen = fallen or bets.verdict()
            sums = {"n": n, "total": total, "squares": squares}
            tx.run("policy_told", {**key, **sums, "watch": json.dumps(bets._asdict())})
            if fallen is not None and promised is not None:
                self.withdraw(
                    tx, tenant, task_type, version, f"{_worth(tx, key)} {promised:.3f} was promised: {fallen}"
                )

    def withdraw(self, tx: Transaction, tenant: str, task_type: str, version: int, reason: str) -> None:
        """Roll a live version back to what can be read before it, and raise the alert."""
        agent = tx.read("policy_watched", {"tenant": tenant, "task_type": task_type, "version": version})[0]["agent"]
        now = self._policies.fall_back(tx, tenant, task_type, agent or None, reason, ACTOR)
        instead = f"version {now} advises" if now != ONLINE else "the online learner advises"
        if self._alarm is not None:
            self._alarm(
                tx, ROLLED_BACK, {subject(tenant, agent, task_type): f"version {version}: {reason}; {instead} again"}
            )


def subject(tenant: str, agent: str | None, task_type: str) -> str:
    """What an alert of the watch is about."""
    return f"{tenant}/{agent}/{task_type}" if agent else f"{tenant}/{task_type}"


def _worth(at: Store | Transaction, key: Mapping[str, Any]) -> str:
    row = at.read("policy_find", key)[0]
    return f"the mean of its {int(row['told']):,} outcomes is {row['told_total'] / max(row['told'], 1):.3f}, where"


def _bets(row: Row) -> Bets:
    try:
        told = json.loads(row["watch"])
    except ValueError as error:
        raise StoreCorrupt("What the watch knows of a policy is damaged. Restore a backup.") from error
    if not told:
        return Bets()
    ever, since = tuple(told["ever"]), tuple(told["since"])
    return Bets(ever, since) if len(ever) == len(since) == len(PARTS) else Bets()
