"""Fixes as a document: what an agent knows leaves, and comes in elsewhere or again. An attempt is known by its id, so
the same document twice adds nothing, and those of two homes add up."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from engrain.fixes.book import Books
from engrain.fixes.incoming import FORMAT, PLAIN, VERSION, Checked, Incoming, Lines
from engrain.fixes.rebuild import everything
from engrain.fixes.rows import GONE, KEPT, plain
from engrain.fixes.writer import FixWriter
from engrain.model.fix import FixImport
from engrain.model.scope import Scope
from engrain.store.port import Row, Store
from engrain.world import World, from_micros

CHUNK = 400
_TRUTHS = ("success", "verified", "effective")
_LEFT = ("id", "state", "visibility", "signature", "type", "target", "plan", "fixer")  # of one that is gone


class FixExchange:
    """Documents of one home's fixes."""

    def __init__(self, store: Store, world: World, books: Books, writer: FixWriter) -> None:
        self._store, self._world, self._books, self._writer = store, world, books, writer

    def document(self, scope: Scope) -> dict[str, Any]:
        """All fixes of an agent, with the signatures and plans that those need of which only the outcome is left."""
        base = {"tenant": scope.tenant, "agent": scope.agent}
        return {
            "format": FORMAT,
            "version": VERSION,
            "exported_at": from_micros(self._world.now()).isoformat(),
            "agent": scope.agent,
            "signatures": [plain(row) for row in self._store.read("signature_all", base)],
            "plans": [
                {**plain(row), "commands": json.loads(row["commands"]), "at": from_micros(row["at"]).isoformat()}
                for row in self._store.read("plan_all", base)
            ],
            "fixes": [_told(row) for row in everything(self._store, scope)],
        }

    def take(self, scope: Scope, document: object, checked: Checked, lines: Lines = MappingProxyType({})) -> FixImport:
        """Take a document in, all or nothing. Raises InvalidField that names the bad rows, and their ``lines``."""
        with self._books.of(scope) as book:
            found = Incoming(scope, document, checked, book.name, lines)
        known = self._known(scope, sorted(found.rows))
        fresh = [row for id_, row in found.rows.items() if id_ not in known]
        newer = [row for id_, row in found.rows.items() if id_ in known and _newer(scope, row, known[id_])]
        revised = self._writer.take(scope, fresh, found.signed, newer, found.plans) if found.rows else 0
        return FixImport(len(fresh), revised, len(found.rows) - len(fresh) - revised)

    def _known(self, scope: Scope, ids: list[str]) -> dict[str, Row]:
        """Those that the agent sees already, its own before others'."""
        known: dict[str, Row] = {}
        for start in range(0, len(ids), CHUNK):
            query = {"tenant": scope.tenant, "agent": scope.agent, "ids": ids[start : start + CHUNK]}
            for row in self._store.read("fix_seen", query):
                if row["id"] not in known or row["agent"] == scope.agent:
                    known[row["id"]] = row
        return known


def _newer(scope: Scope, row: Mapping[str, Any], known: Row) -> bool:
    own = known["agent"] == scope.agent and known["state"] == KEPT == row["state"]
    return own and bool(row["updated_at"] > known["updated_at"])


def _told(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of fixes as JSON values."""
    found: dict[str, Any] = {name: row[name] for name in _LEFT}
    found |= {name: None if row[name] is None else row[name] == 1 for name in _TRUTHS}
    found["seconds"] = None if row["micros"] is None else row["micros"] / 1e6
    found |= {name: from_micros(row[name]).isoformat() for name in ("occurred_at", "created_at", "updated_at")}
    if row["state"] == GONE:
        return found
    found |= {name: row[name] for name in ("message", *PLAIN) if name not in found}
    return found | {name: json.loads(row[name]) for name in ("problem", "commands", "system")}
