"""The rules of a memory's life: pure functions (item, now, rules) -> Decision. They look at times, not at how often
they are asked, so that missed runs change nothing but the moment at which something is done."""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

from engrain.lifecycle.policies import due
from engrain.model.fading import DAY
from engrain.model.item import LIVE
from engrain.model.life import Life, Rules


class Act(StrEnum):
    KEEP = "keep"
    EXPIRE = "expire"
    PEND = "pend"  # announce that it will be archived unless it is used
    SPARE = "spare"  # take that back
    ARCHIVE = "archive"
    PRUNE = "prune"
    PROMOTE = "promote"


class Decision(NamedTuple):
    act: Act
    reason: str = ""


KEEP = Decision(Act.KEEP)


def expires(life: Life, now: int, rules: Rules) -> Decision:
    """What is past its expiry leaves at once, pinned or not: somebody said until when it is true."""
    return Decision(Act.EXPIRE, "expired") if life.state in LIVE and not _visible(life, now) else KEEP


def retires(life: Life, now: int, rules: Rules) -> Decision:
    """An older version is archived some time after it was replaced."""
    old = life.state == "superseded" and _since(life.superseded_at, now) >= rules.superseded_days
    return Decision(Act.ARCHIVE, "superseded") if old else KEEP


def promotes(life: Life, now: int, rules: Rules) -> Decision:
    """What has lasted and was used, or was found helpful so often that luck is no explanation, becomes knowledge."""
    if not _visible(life, now) or life.promoted_at is not None or life.kind == "knowledge":
        return KEEP
    if lower_bound(life.helpful, life.unhelpful) > rules.promote_bound:
        return Decision(Act.PROMOTE, f"helpful {life.helpful} of {life.helpful + life.unhelpful} times")
    lasted = (
        life.kind in rules.promote_kinds
        and life.uses >= rules.promote_uses
        and _since(life.created_at, now) >= rules.promote_days
        and life.importance_at(now) >= rules.promote_importance
    )
    return Decision(Act.PROMOTE, f"used {life.uses} times") if lasted else KEEP


def forgets(life: Life, now: int, rules: Rules) -> Decision:
    """What the chosen policy lets go of is announced, and archived when nobody used it meanwhile; an announcement whose
    reason is gone is taken back."""
    if not _visible(life, now):
        return KEEP
    reason = due(life, now, rules)
    if life.pending_at is None:
        return Decision(Act.PEND, reason) if reason else KEEP
    if reason is None:
        return Decision(Act.SPARE, "no longer due")
    return Decision(Act.ARCHIVE, reason) if _since(life.pending_at, now) >= rules.pending_days else KEEP


def prunes(life: Life, now: int, rules: Rules) -> Decision:
    """What has been archived for long is deleted, but for what was important (see ``beyond_cap``)."""
    if life.state != "archived" or _since(life.archived_at, now) < rules.prune_days:
        return KEEP
    if life.importance_at(now) >= rules.keep_importance:
        return Decision(Act.KEEP, "important")
    return Decision(Act.PRUNE, f"archived for {rules.prune_days:g} days")


def beyond_cap(lives: Sequence[Life], now: int, rules: Rules) -> list[Life]:
    """Of one agent's archived items those that pruning spares as important beyond ``keep_cap``: the least important
    first, then those archived longest ago."""
    kept = [life for life in lives if prunes(life, now, rules) == Decision(Act.KEEP, "important")]
    kept.sort(key=lambda life: (life.importance_at(now), life.archived_at, life.id))
    return kept[: max(0, len(kept) - rules.keep_cap)]


ORDER = (expires, retires, prunes, promotes, forgets)


def decide(life: Life, now: int, rules: Rules) -> Decision:
    """What becomes of an item: the first rule of ORDER that does not keep it."""
    return next((found for rule in ORDER if (found := rule(life, now, rules)).act != Act.KEEP), KEEP)


def lower_bound(helpful: int, unhelpful: int) -> float:
    """The lower end of Wilson's 95 % interval of the share of helpful votes; 0 without votes."""
    votes, z = helpful + unhelpful, 1.959964
    if votes == 0:
        return 0.0
    share = helpful / votes
    spread = z * math.sqrt((share * (1.0 - share) + z * z / (4.0 * votes)) / votes)
    return max(0.0, (share + z * z / (2.0 * votes) - spread) / (1.0 + z * z / votes))


def _visible(life: Life, now: int) -> bool:
    return life.state in LIVE and (life.expires_at is None or life.expires_at > now)


def _since(moment: int | None, now: int) -> float:
    """Days; below 0 where the clock went back, or nothing happened."""
    return -1.0 if moment is None else (now - moment) / DAY
