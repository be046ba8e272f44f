"""Issues that a person puts together or takes apart: noted, seen by who did it, and undone by taking the note back."""

from __future__ import annotations

from engrain.errors import InvalidField, UnknownIssue
from engrain.fixes.book import MERGE, SPLIT, Books, own_scope
from engrain.model.fix import IssueEdit
from engrain.model.scope import Scope
from engrain.store.changes import bump
from engrain.store.port import Row, Store
from engrain.world import World, from_micros


class Edits:
    """The notes of one home."""

    def __init__(self, store: Store, world: World, books: Books) -> None:
        self._store, self._world, self._books = store, world, books

    def merge(self, scope: Scope, one: str, into: str, reason: str) -> None:
        """Put an issue to another. Raises UnknownIssue, and InvalidField when they are one already."""
        with self._books.of(scope) as book:
            for id_ in (one, into):
                if not book.group(id_):
                    raise UnknownIssue(f"{id_!r} is not an issue that agent {scope.agent!r} can see.")
            if book.resolve(one) == book.resolve(into):
                raise InvalidField(f"{one!r} and {into!r} are one issue already.")
            raws = book.group(one)[0], book.group(into)[0]
        self._note(scope, MERGE, *raws, reason)

    def split(self, scope: Scope, raw: str, reason: str) -> None:
        """Take a signature out of its issue."""
        with self._books.of(scope) as book:
            if raw not in book.titles:
                raise UnknownIssue(f"{raw!r} is not a signature that agent {scope.agent!r} can see.")
            if len(book.group(raw)) == 1:
                raise InvalidField(f"{raw!r} is the only signature of its issue; there is nothing to split.")
        self._note(scope, SPLIT, raw, None, reason)

    def undo(self, scope: Scope) -> IssueEdit | None:
        """Take the latest note back that stands."""
        base = {"tenant": scope.tenant, "agent": scope.agent}
        with self._store.transaction(scope.tenant) as tx:
            bump(tx, scope.tenant, own_scope(scope.agent), purges=1)
            standing = [row for row in tx.read("edit_list", base) if row["undone_at"] is None]
            if not standing:
                return None
            now = self._world.now()
            tx.run("edit_undo", {**base, "id": standing[-1]["id"], "now": now})
            return _edit(standing[-1], now)

    def all(self, scope: Scope) -> list[IssueEdit]:
        """All notes of an agent, oldest first."""
        rows = self._store.read("edit_list", {"tenant": scope.tenant, "agent": scope.agent})
        return [_edit(row, row["undone_at"]) for row in rows]

    def _note(self, scope: Scope, kind: str, signature: str, other: str | None, reason: str) -> None:
        row = {"id": self._world.new_id(), "kind": kind, "signature": signature, "other": other, "reason": reason}
        with self._store.transaction(scope.tenant) as tx:
            bump(tx, scope.tenant, own_scope(scope.agent), purges=1)
            tx.run("edit_insert", {**row, "tenant": scope.tenant, "agent": scope.agent, "at": self._world.now()})


def _edit(row: Row, undone: int | None) -> IssueEdit:
    return IssueEdit(
        row["id"],
        row["kind"],
        row["signature"],
        row["other"],
        row["reason"],
        from_micros(row["at"]),
        None if undone is None else from_micros(undone),
    )
