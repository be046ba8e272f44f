"""Bringing an agent's patterns in order: the same ones merged, opposite ones linked, proven bad ones let go of.

Each change is an event with its reason that ``undo`` takes back; nothing is deleted; what a person took back is not
done again. Only an agent's own patterns are changed.

- Merged are those that say the same: likely by meaning and words (links ``duplicate``), then looked at from both sides:
  each has (almost) all words of the other, and what either has alone is no number, no negation and no opposite, for
  texts that are 85 % alike may say the contrary. Their situations must be the same, and their evidence must not differ
  for sure. The one with more evidence stays.
- Contradictions are those that are as alike and differ in a negation or an opposite, or whose evidence differs for
  sure.
- Deprecated are those that surely help less than another of their own kind for the same task, and those that lay in
  quarantine for ``QUARANTINE`` days. Being young, unused or seldom shown is no reason, nor is being shown often one
  to stay; foundation patterns stay.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from difflib import SequenceMatcher
from typing import Any

from engrain.model.distill import PatternChange
from engrain.model.pattern import Belief
from engrain.model.scope import Scope
from engrain.patterns.bank import Bank
from engrain.patterns.drafts import rule_of
from engrain.patterns.life import VOICES
from engrain.patterns.room import Room
from engrain.patterns.rows import belief_of, text_of
from engrain.store.port import Row

SOURCE = "consolidation"
SHARED = 0.8  # of the words of each that the other must have, too, in their order
EVENTS = 1_000
ALIKE = ("duplicate", "similar")
QUARANTINE = 90  # days
DAY = 86_400_000_000

_WORD = re.compile(r"\d+(?:[.,:/-]\d+)*|[^\W\d_]+(?:['’][^\W\d_]+)?|[<>=!]=?|[-+]", re.UNICODE)
_NEGATIONS = frozenset(
    _WORD.findall(
        "no not never none nothing neither nor without avoid except unless stop don't doesn't isn't can't won't "
        "shouldn't mustn't cannot nicht nie kein keine ohne non pas jamais sans"
    )
)
_OPPOSITES = (
    "enable disable", "enabled disabled", "on off", "before after", "first last", "add remove", "increase decrease",
    "raise lower", "more less", "above below", "allow deny", "allow forbid", "allow block", "true false", "yes no",
    "sync async", "synchronous asynchronous", "open close", "start stop", "always never", "up down",
    "upgrade downgrade",
    "include exclude", "push pull", "lock unlock", "mount unmount", "install uninstall", "create delete", "best worst",
    "high low", "higher lower", "min max", "minimum maximum", "left right", "in out", "safe unsafe", "valid invalid",
    "with without", "serial parallel", "sequential parallel", "strict loose", "keep drop", "accept reject",
    "pass fail",
    "read write", "cold warm", "old new", "fast slow", "public private", "inside outside",
    "earlier later", "same different",
)  # fmt: skip
_OPPOSED = {one: pair.split()[1 - at] for pair in _OPPOSITES for at, one in enumerate(pair.split())}


LONG = 2_000  # words from which texts must be equal to be the same


def differ(one: str, other: str) -> str | None:
    """How two texts differ: None when they say the same as far as words tell; "opposite" when what one has alone is a
    negation or the opposite of what the other has; "number" when they name other numbers; "words" when one says
    something else, or in another order."""
    mine, theirs = _words(one), _words(other)
    if mine == theirs:
        return None
    if max(len(mine), len(theirs)) > LONG:
        return "words"
    blocks = SequenceMatcher(None, mine, theirs, autojunk=False).get_matching_blocks()
    common = sum(block.size for block in blocks)
    if common < SHARED * max(len(mine), len(theirs)):
        return "words"
    kept = ({block.a + n for block in blocks for n in range(block.size)},
            {block.b + n for block in blocks for n in range(block.size)})  # fmt: skip
    left = {word for at, word in enumerate(mine) if at not in kept[0]}
    right = {word for at, word in enumerate(theirs) if at not in kept[1]}
    if (left | right) & _NEGATIONS or any(_OPPOSED.get(word, "") in right for word in left):
        return "opposite"
    if any(not word[0].isalpha() for word in left | right):
        return "number"
    return "words" if left & right or (left | right) & _OPPOSED.keys() else None


def _words(text: str) -> list[str]:
    return [word.lower().replace("’", "'") for word in _WORD.findall(text)]


class Consolidator:
    """Of a home."""

    def __init__(self, room: Room, bank: Bank) -> None:
        self._room, self._bank = room, bank
        self.looked = 0

    def run(self, scope: Scope, *, dry: bool, stop: Callable[[], bool] = lambda: False) -> list[PatternChange]:
        """An agent's patterns; what changed, or in a dry run would."""
        asked = {"tenant": scope.tenant, "agent": scope.agent, "prefix": ""}
        rows = {row["id"]: row for row in self._room.store.read("pattern_mine", asked)}
        self.looked += len(rows)
        changes: list[PatternChange] = []
        for act in (self._merge, self._prune):
            if not stop():
                changes += act(scope, rows, dry)
        return changes

    # -- the same, and opposites ---------------------------------------------------------------------------------------

    def _merge(self, scope: Scope, rows: dict[str, Row], dry: bool) -> list[PatternChange]:
        active = [id_ for id_, row in rows.items() if row["state"] == "active"]
        links = self._room.store.read("pattern_link_list", {"tenant": scope.tenant, "ids": active}) if active else []
        opposed = {(row["source"], row["target"]) for row in links if row["kind"] == "contradicts"}
        pairs = sorted({(row["source"], row["target"]) for row in links if row["kind"] in ALIKE})
        changes: list[PatternChange] = []
        gone: set[str] = set()
        for pair in pairs:
            if pair[0] not in active or pair[1] not in active or gone & set(pair) or pair in opposed:
                continue
            one, other = sorted((rows[id_] for id_ in sorted(pair, reverse=True)), key=_weight)
            how = _relation(one, other)
            if how is None or (how[0] == "merged" and self._taken_back(scope, "merged", one["id"], other["id"])):
                continue
            told = (scope.tenant, scope.agent, how[0], one["id"], one["title"], SOURCE, how[1], other["id"])
            changes.append(PatternChange(*told))
            if how[0] == "merged":
                gone.add(one["id"])
            if not dry:
                if how[0] == "merged":
                    self._bank.merge(scope, one["id"], other["id"], how[1], SOURCE)
                else:
                    self._bank.link(scope, *pair, "contradicts", 1.0)
        for id_ in gone:
            del rows[id_]
        return changes

    # -- what does not help --------------------------------------------------------------------------------------------

    def _prune(self, scope: Scope, rows: dict[str, Row], dry: bool) -> list[PatternChange]:
        changes, now = [], self._room.world.now()
        for id_, row in rows.items():
            if row["foundation"] or row["state"] not in ("active", "quarantined"):
                continue
            if row["good"] + row["bad"] < row["held"] or self._taken_back(scope, "deprecated", id_):
                continue
            reason, other = _worse(row, rows), None
            if row["state"] == "quarantined":
                since = self._since(scope, id_, row["updated_at"])
                reason = (f"in quarantine for {QUARANTINE} days", "") if now - since >= QUARANTINE * DAY else None
            if reason is not None:
                other = reason[1] or None
                told = (scope.tenant, scope.agent, "deprecated", id_, row["title"], SOURCE, reason[0], other)
                changes.append(PatternChange(*told))
                if not dry:
                    self._bank.act(scope, id_, "deprecated", reason[0], SOURCE)
        return changes

    def _since(self, scope: Scope, id_: str, usual: int) -> int:
        """When it was quarantined."""
        asked = {"tenant": scope.tenant, "id": id_, "limit": EVENTS}
        events = self._room.store.read("pattern_event_list", asked)
        return next((int(row["at"]) for row in events if row["event"] == "quarantined"), usual)

    def _taken_back(self, scope: Scope, event: str, id_: str, other: str | None = None) -> bool:
        """Whether somebody took this back once, or brought it back from there."""
        asked = {"tenant": scope.tenant, "id": id_, "limit": EVENTS}
        events = self._room.store.read("pattern_event_list", asked)
        ends = {id_, other}
        return any(
            (
                row["event"] == event
                and row["undone_at"] is not None
                and {row["pattern_id"], row["other_id"]} >= ends - {None}
            )
            or (event == "deprecated" and row["event"] == "released" and row["pattern_id"] == id_)
            for row in events
        )


def _weight(row: Row) -> tuple[Any, ...]:
    """Whichever of two comes last stays: told, foundation, proven, with more voices, older."""
    found = bool(rule_of(row))
    return (
        not found,
        row["foundation"],
        row["tier"] == "long",
        row["sure"],
        row["lineages"],
        -row["created_at"],
        row["id"],
    )


def _relation(one: Row, other: Row) -> tuple[str, str] | None:
    """(merged or contradicts, why) of two patterns that are alike; None when they are simply two."""
    if any(one[name] != other[name] for name in ("framework", "language", "domain", "task_type", "kind")):
        return None
    if rule_of(one) and rule_of(other):  # each was found for a case of its own
        return None
    how = differ(text_of(one), text_of(other))
    if one["polarity"] != other["polarity"]:
        return ("contradicts", "the same words, to be done and to be avoided") if how is None else None
    if how == "opposite":
        return "contradicts", "alike but for a word that says the opposite"
    if how is not None or (one["template"] or "") != (other["template"] or ""):
        return None
    mine, theirs = belief_of(one), belief_of(other)
    if _surely(mine, theirs) or _surely(theirs, mine):
        told = f"{_percent(mine)} and {_percent(theirs)}"
        return "contradicts", f"they say the same, but for sure it does not help alike: {told}"
    return "merged", "both say the same, looked at from either side"


def _worse(row: Row, rows: dict[str, Row]) -> tuple[str, str] | None:
    """(reason, id of the better one) when another pattern for the same task helps more for sure."""
    if row["sure"] < VOICES or row["task_type"] is None or row["polarity"] != "do":
        return None
    mine, rule = belief_of(row), rule_of(row)
    names = ("kind", "framework", "language", "domain", "task_type", "polarity")
    for id_ in sorted(rows):
        other = rows[id_]
        if id_ == row["id"] or other["state"] != "active" or other["sure"] < VOICES:
            continue
        if any(other[name] != row[name] for name in names) or rule_of(other).get("when") != rule.get("when"):
            continue
        theirs = belief_of(other)
        if _surely(mine, theirs) and mine.high < 0.5:
            return f"helps in {mine.high:.0%} at most, {other['title']!r} in {theirs.low:.0%} at least", id_
    return None


def _surely(worse: Belief, better: Belief) -> bool:
    return worse.high < better.low


def _percent(belief: Belief) -> str:
    return f"{belief.low:.0%}–{belief.high:.0%}"
