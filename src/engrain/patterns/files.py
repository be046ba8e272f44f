"""Patterns as a file: what they say, what their uses came to, and how they hang together; twice counts once.

``{"engrain_patterns": 1, "made_at": …, "patterns": [{"title": …, …, "uses": […]}], "links": […]}``. Every row is
checked before the first is stored.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from engrain.errors import InvalidField, InvalidInput
from engrain.model.decision import EVIDENCE
from engrain.model.pattern import Pattern
from engrain.model.scope import Scope
from engrain.model.translation import PatternsImported
from engrain.patterns import events
from engrain.patterns.bank import Bank
from engrain.patterns.mapping.placeholders import parameterise
from engrain.patterns.search import Wanted
from engrain.store.port import Row, Transaction
from engrain.world import from_micros

VERSION = 1
MOST = 64 << 20  # bytes of a file
ALL = 1 << 31  # uses of a pattern, and patterns: every one
PATTERNS = 100_000  # in a file that is taken in
SAID = (
    "title", "description", "content", "template", "kind", "polarity", "framework", "language", "domain", "tags",
    "task_type", "visibility", "foundation", "provenance",
)  # fmt: skip
_EMPTY: Mapping[str, Any] = {
    "description": "", "content": "", "kind": "strategy", "polarity": "do", "tags": [], "visibility": "private",
    "foundation": False,
}  # fmt: skip
_WORDS = ("title", "description", "content", "template")
_USE = ("id", "agent", "stage", "success", "evidence", "lineage", "source", "task_type", "state", "task_id", "at")
_KEPT = ("translates", "refines")  # links that somebody said; those of likeness are found anew
Check = Callable[[Mapping[str, Any]], dict[str, Any]]


class Files:
    """The way out of a bank and into it."""

    def __init__(self, bank: Bank) -> None:
        self._bank, self._room = bank, bank.room

    # -- out ----------------------------------------------------------------------------------------------------------

    def export(self, scope: Scope, wanted: Wanted, parameters: Mapping[str, str], now: int) -> dict[str, Any]:
        """Everything that a scope sees of its own and others' patterns, as plain JSON values. ``parameters``: words of
        this project, and the names of the placeholders that stand for them in the file."""
        self._bank.flush()
        found = [hit.pattern for hit in self._bank.find(scope, None, wanted, ALL)]
        rows = [self._row(scope, one, parameters) for one in sorted(found, key=lambda one: one.id)]
        ids = {one.id for one in found}
        links = {
            (link.source, link.target, link.kind, link.weight)
            for one in found
            for link in self._bank.links(scope, one.id)
            if link.kind in _KEPT and {link.source, link.target} <= ids
        }
        return {
            "engrain_patterns": VERSION,
            "made_at": from_micros(now).isoformat(),
            "patterns": rows,
            "links": [dict(zip(("source", "target", "kind", "weight"), one, strict=True)) for one in sorted(links)],
        }

    def _row(self, scope: Scope, one: Pattern, parameters: Mapping[str, str]) -> dict[str, Any]:
        said = {name: getattr(one, name) for name in SAID}
        if parameters:
            said |= {name: parameterise(said[name], parameters) for name in _WORDS if said[name]}
        group = self._room.group(self._room.store, scope.tenant, one.id)
        asked = {"tenant": scope.tenant, "ids": group, "limit": ALL}
        uses = [_use(row, scope.agent) for row in self._room.store.read("pattern_use_list", asked)]
        told = {"tags": list(one.tags), "provenance": dict(one.provenance)}
        at = {"created_at": one.created_at.isoformat(), "tier": one.tier, "state": one.state}
        return {"id": one.id, **said, **told, **at, "uses": uses[::-1]}

    # -- in -----------------------------------------------------------------------------------------------------------

    def take(self, scope: Scope, content: bytes, check: Check, used: Check) -> PatternsImported:
        """Take in what an export wrote. A pattern that is here already keeps what it says; uses that are new are added
        to those it has. ``check`` makes the fields of a pattern fit to be stored, ``used`` names, time (µs) and state of
        a use. Raises InvalidInput, naming the pattern, and nothing is changed."""
        rows, links = _read(content)
        told = [self._told(row, number, check) for number, row in enumerate(rows, 1)]
        uses = [self._uses(row, number, used) for number, row in enumerate(rows, 1)]
        before = {one.id for one in self._own(scope)}
        kept = self._bank.add_many(scope, told) if told else []
        new = {one.id for one in kept} - before
        count = 0
        for row, pattern, some in zip(rows, kept, uses, strict=True):
            self._restore(scope, pattern, row)
            count += self._add(scope, pattern, some)
        ids = {str(row.get("id")): pattern.id for row, pattern in zip(rows, kept, strict=True)}
        linked = 0
        for link in links:
            source, target = ids.get(str(link.get("source"))), ids.get(str(link.get("target")))
            if link.get("kind") in _KEPT and source and target and source != target:
                self._bank.link(scope, source, target, str(link["kind"]))
                linked += 1
        return PatternsImported(len(new), len({one.id for one in kept} - new), count, linked)

    def _own(self, scope: Scope) -> Sequence[Pattern]:
        return [hit.pattern for hit in self._bank.find(scope, None, Wanted(state=None), ALL)]

    def _told(self, row: Any, number: int, check: Check) -> dict[str, Any]:
        try:
            if not isinstance(row, Mapping) or "title" not in row:
                raise InvalidField("it must be an object with a title.")
            said = {name: row.get(name, _EMPTY.get(name)) for name in SAID if name != "provenance"}
            if row.get("tier", "short") not in ("short", "long"):
                raise InvalidField("tier must be short or long.")
            if row.get("state", "active") not in ("active", "quarantined", "deprecated"):
                raise InvalidField("state must be active, quarantined or deprecated.")
            known = row.get("provenance")
            origin = known.get("was", known) if isinstance(known, Mapping) else {}  # of whoever told it first
            ids = [row["id"]] if isinstance(row.get("id"), str) else []
            return check({**said, "provenance": {"source": "import", "ids": ids, "was": origin}})
        except InvalidInput as error:
            raise InvalidField(f"Pattern {number}: {error.detail}") from error

    def _uses(self, row: Mapping[str, Any], number: int, used: Check) -> list[dict[str, Any]]:
        found = row.get("uses") or []
        if not isinstance(found, list):
            raise InvalidField(f"Pattern {number}: uses must be a list.")
        return [self._one_use(one, f"Pattern {number}, use {place}", used) for place, one in enumerate(found, 1)]

    def _one_use(self, told: Any, where: str, used: Check) -> dict[str, Any]:
        if not isinstance(told, Mapping):
            raise InvalidField(f"{where}: it must be an object.")
        if told.get("stage") not in ("applied", "helpful") or told.get("evidence") not in EVIDENCE:
            raise InvalidField(f"{where}: stage must be applied or helpful, evidence one of {', '.join(EVIDENCE)}.")
        if told.get("success") not in (True, False, None):
            raise InvalidField(f"{where}: success must be true, false or null.")
        try:
            names = used(told)
            state = None if names["state"] is None else self._room.state(names["state"])
        except InvalidInput as error:
            raise InvalidField(f"{where}: {error.detail}") from error
        success = told.get("success")
        return {
            **names, "stage": told["stage"], "evidence": told["evidence"],
            "success": None if success is None else int(success),
            "weight": 0.0 if success is None else self._room.weights[told["evidence"]],
            "state": state.text if state else None, "state_key": state.key if state else None,
        }  # fmt: skip

    def _restore(self, scope: Scope, pattern: Pattern, row: Mapping[str, Any]) -> None:
        """Tier and state of one that is new here, or was left at that by an import that was interrupted."""
        if pattern.provenance.get("source") != "import" or len(self._bank.history(scope, pattern.id, 2)) > 1:
            return
        acts = {"long": "promoted", "quarantined": "quarantined", "deprecated": "deprecated"}
        for name in ("tier", "state"):
            if row.get(name) in acts:
                self._bank.act(scope, pattern.id, acts[row[name]], f"it was {row[name]} where it came from")

    def _add(self, scope: Scope, pattern: Pattern, uses: Sequence[dict[str, Any]]) -> int:
        """Uses that are not here yet, in one transaction; how many."""
        if not uses:
            return 0
        room, count = self._room, 0
        ids = {"tenant": scope.tenant, "agent": scope.agent, "pattern_id": pattern.id}
        with room.store.transaction(scope.tenant) as tx:
            room.own(tx, scope, pattern.id)
            group = room.group(tx, scope.tenant, pattern.id)
            there = tx.read("pattern_use_list", {"tenant": scope.tenant, "ids": group, "limit": ALL})
            known, have = {row["id"] for row in there}, Counter(_told(row) for row in there)
            for use in uses:
                told = _told(use)
                if use["id"] in known or have[told] > 0:  # it came back from where it went
                    have[told] -= 1
                    continue
                self._keep(tx, scope, {**use, **ids})
                count += 1
                if use["success"] is not None:
                    good = use["weight"] if use["success"] else 0.0
                    voice = {"lineage": use["lineage"], "task_type": use["task_type"] or "",
                             "claimed": int(use["evidence"] == "claimed")}  # fmt: skip
                    whose = {"tenant": scope.tenant, "pattern_id": pattern.id, **voice}
                    tx.run("pattern_voice_add", {**whose, "good": good, "bad": use["weight"] - good})
            if count:
                events.resum(room, tx, scope, pattern.id)
        return count

    @staticmethod
    def _keep(tx: Transaction, scope: Scope, use: dict[str, Any]) -> None:
        """Under its own id, or, where a use of another pattern of the store has that, under one made of both."""
        if tx.run("pattern_use_take", use) == 0:
            text = f"{scope.tenant}\0{scope.agent}\0{use['pattern_id']}\0{use['id']}"
            tx.run("pattern_use_take", {**use, "id": hashlib.blake2b(text.encode(), digest_size=16).hexdigest()})


def _told(use: Mapping[str, Any] | Row) -> tuple[Any, ...]:
    """What tells a use from others of its pattern, in whichever store it stands."""
    return tuple(use[name] for name in ("lineage", "stage", "success", "evidence", "at"))


def _use(row: Row, agent: str) -> dict[str, Any]:
    """A use for a file. Those of other agents without the names of their sources."""
    told = {name: row[name] for name in _USE}
    told["success"] = None if row["success"] is None else row["success"] == 1
    told["state"] = None if row["state"] is None else json.loads(row["state"])
    told["at"] = from_micros(row["at"]).isoformat()
    if row["agent"] != agent:
        hidden = hashlib.blake2b(str(row["lineage"]).encode(), digest_size=8).hexdigest()
        told |= {"agent": None, "source": None, "task_id": None, "lineage": f"other:{hidden}"}
    return told


def _read(content: bytes) -> tuple[list[Any], list[Mapping[str, Any]]]:
    """The patterns and links of a file. Raises InvalidField."""
    if len(content) > MOST:
        raise InvalidField(f"the file is larger than {MOST >> 20} MB.")
    try:
        told = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InvalidField(f"the file is not JSON: {error}.") from error
    if not isinstance(told, dict) or not isinstance(told.get("engrain_patterns"), int):
        raise InvalidField('the file is no export of patterns: it must begin with {"engrain_patterns": 1, …}.')
    if told["engrain_patterns"] > VERSION:
        raise InvalidField(f"the file was written by a newer engrain (version {told['engrain_patterns']}); upgrade.")
    rows, links = told.get("patterns"), told.get("links") or []
    if not isinstance(rows, list) or not isinstance(links, list) or not all(isinstance(one, dict) for one in links):
        raise InvalidField("patterns and links must be lists of objects.")
    if len(rows) > PATTERNS:
        raise InvalidField(f"the file has {len(rows):,} patterns, at most {PATTERNS:,}.")
    return rows, links


def load(path: Path) -> bytes:
    """The bytes of a file. Raises InvalidField."""
    try:
        with path.open("rb") as file:
            return file.read(MOST + 1)
    except OSError as error:
        raise InvalidField(f"{path} cannot be read: {error.strerror}.") from error
