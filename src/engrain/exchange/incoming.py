"""Import: every row is checked before the first is stored, then they are stored chunk by chunk.

A chunk is one transaction. A row that is there already changes nothing, so an import that was killed is simply run
again. What a row may meet is decided here, in one place; docs/guides/move.md has it as a table.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from engrain.errors import InvalidInput, QuotaExceeded
from engrain.exchange.files import Found
from engrain.exchange.rows import COUNTS, FIELDS, SIGNALS, TOLD, Columns, columns, complete, derived_id
from engrain.intake.validate import METADATA_BYTES, TAGS, Draft
from engrain.intake.writer import Indexer, Writer, fingerprint
from engrain.model.exchange import BadRow, Imported
from engrain.model.scope import Scope
from engrain.store.changes import SHARED, agent_scope, bump, put_passages
from engrain.store.port import Store, Transaction
from engrain.store.rows import to_json
from engrain.world import World

if TYPE_CHECKING:
    from engrain.archive.port import Archive, Sought
    from engrain.intake.quota import Used

CHUNK, BYTES = 200, 1 << 20  # items and bytes of content in one transaction
TOLD_ROWS = 20  # of those that are refused
_SAME = tuple(name for name in FIELDS if name not in ("id", "echoes"))  # in which two items must not differ
_SAID = (*TOLD, "occurred_at")  # the same for a row that has no id, and so tells nothing of its past


class Import:
    """One import into one agent's scope. ``rows`` gives the rows anew each time it is called."""

    def __init__(
        self,
        store: Store,
        world: World,
        scope: Scope,
        writer: Writer,
        index: Indexer,
        kinds: frozenset[str],
        archive: Archive,
    ) -> None:
        self._store, self._world, self._scope, self._archive = store, world, scope, archive
        self._writer, self._index, self._kinds = writer, index, kinds
        self._base = {"tenant": scope.tenant, "agent": scope.agent}
        self._ids: set[str] = set()  # that the rows have: two of them are two items, however alike
        self._moved: dict[str, str] = {}  # ids of rows that ended up under another, which older versions may name
        self._done: Counter[str] = Counter()
        self._number, self._holders = 0, dict[str, tuple[str, str]]()  # of the last cold batch, and whose ids are cold
        self._now = world.now()

    def run(
        self,
        rows: Callable[[], Iterable[Found]],
        policy: str,
        *,
        partial: bool,
        progress: Callable[[int, int], Any] | None,
    ) -> Imported:
        """Raises InvalidInput, and stores nothing, when a row is refused and ``partial`` is false; QuotaExceeded where
        a quota is reached: the chunks before stay."""
        refused, good = 0, 0
        bad: list[BadRow] = []
        for where, raw in rows():
            try:
                row = self._checked(raw)
                good += 1
                if row["id"] is not None:
                    self._ids.add(row["id"])
            except InvalidInput as error:
                refused += 1
                if len(bad) < TOLD_ROWS:
                    bad.append(BadRow(where, error.detail))
        if refused and not partial:
            raise InvalidInput(_told(refused, bad))
        for chunk in self._chunks(rows(), partial):
            self._store_chunk(chunk, policy)
            if progress is not None:
                progress(sum(self._done.values()), good)
        return Imported(**self._done, refused=refused, bad=tuple(bad))

    def _checked(self, raw: Any) -> Columns:
        if isinstance(raw, InvalidInput):
            raise raw
        draft, others = columns(raw, self._kinds, self._now)
        for words in (others["archived_reason"], *(session for _, session in others["echoes"])):
            if words is not None:
                self._writer.clean(Draft("-", session=words))  # refuses a secret
        names = (others["id"], others["superseded_by"], *others["redacted"])
        self._writer.clean(Draft("-", tags=tuple(name for name in names if name is not None)))
        cleaned, rules = self._writer.clean(draft)
        return complete(cleaned, others, rules, fingerprint(cleaned.content))

    def _chunks(self, rows: Iterable[Found], partial: bool) -> Iterator[list[Columns]]:
        """Rows that belong together in a transaction: no two of them can meet each other."""
        chunk: list[Columns] = []
        names: set[Any] = set()
        size = 0
        for _, raw in rows:
            try:
                row = self._checked(raw)
            except InvalidInput:
                if partial:
                    continue
                raise  # the file has changed since it was checked
            own: set[Any] = {("id", row["id"])} if row["id"] is not None else set()
            if row["state"] == "active":
                own |= {_identity(row)} | ({("key", row["kind"], row["key"])} if row["key"] is not None else set())
            if chunk and (own & names or len(chunk) == CHUNK or size > BYTES):
                yield chunk
                chunk, names, size = [], set(), 0
            chunk.append(row)
            names |= own
            size += len(row["content"])
        if chunk:
            yield chunk

    # -- one chunk ----------------------------------------------------------------------------------------------------

    def _store_chunk(self, chunk: list[Columns], policy: str) -> None:
        indexed = [row for row in chunk if row["state"] != "superseded"]
        passages = dict(
            zip([row["content"] for row in indexed], self._index([row["content"] for row in indexed]), strict=True)
        )
        ids = {row["id"] for row in chunk if row["id"] is not None}
        ids |= {derived_id(**self._base, id_=id_) for id_ in ids}
        while not self._stored(chunk, policy, passages, ids, self._archive.seek(self._scope, self._cold(ids))):
            pass  # something has gone to the cold tables meanwhile

    def _cold(self, ids: set[str]) -> set[str]:
        """Which of these are own items in the cold tables. Whose any id of the import is there is looked up at once."""
        if self._number != (number := self._archive.number()):
            every = self._ids | {derived_id(**self._base, id_=id_) for id_ in self._ids}
            self._number, self._holders = number, self._archive.holders(every)
        mine = (self._scope.tenant, self._scope.agent)
        return {id_ for id_ in ids if self._holders.get(id_) == mine}

    def _stored(
        self, chunk: list[Columns], policy: str, passages: dict[str, Any], ids: set[str], sought: Sought
    ) -> bool:
        """False when a row may have left the store since the archive was looked through; nothing is done then."""
        with self._store.transaction(self._scope.tenant) as tx:
            seq = bump(tx, self._scope.tenant, agent_scope(self._scope.agent))
            known = self._known(tx, chunk, ids)
            moved = sought.number != self._number or self._archive.moved(tx, sought)
            if moved and not ids <= {row["id"] for row in known}:
                return False
            gone = self._archive.gone(tx, self._scope.tenant, [row["place"] for row in sought.rows.values()])
            cold = {id_: row for id_, row in sought.rows.items() if id_ in ids and row["place"] not in gone}
            tx.run("agent_register", {**self._base, "team": None, "now": self._now})
            plan = _Plan([*known, *(row.stored() for row in cold.values())], policy, self._now, self._ids)
            for row in chunk:
                row["superseded_by"] = self._moved.get(row["superseded_by"], row["superseded_by"])
                if row["id"] is None:
                    plan.place({**row, "id": self._world.new_id()}, None)
                else:
                    plan.place(row, derived_id(**self._base, id_=row["id"]))
            for id_ in sorted(plan.changed.keys() & cold):
                self._archive.thaw(tx, self._scope, cold[id_], self._now)
            touched = sorted({*plan.changed, *plan.replaced})
            if touched:
                tx.read("memory_lock", {**self._base, "ids": touched})
            shared = bump(tx, self._scope.tenant, SHARED) if plan.shares else None
            used = self._admitted(tx, plan, seq)
            self._write(tx, plan, passages, {**self._base, "seq": seq, "shared_seq": shared})
        if self._writer.quota and used:
            self._writer.quota.keep(self._scope, used)
        self._done.update(plan.done)
        self._ids |= plan.renamed
        self._moved |= plan.moved
        return True

    def _admitted(self, tx: Transaction, plan: _Plan, seq: int) -> Used | None:
        if self._writer.quota is None:
            return None
        now = self._world.now()
        rows = [row for row in (*plan.changed.values(), *plan.new.values()) if row["state"] == "active"]
        rows = [row for row in rows if (row["expires_at"] or now + 1) > now]
        try:
            return self._writer.quota.admit(tx, self._scope, (seq, now), rows, [*{*plan.changed, *plan.replaced}])
        except QuotaExceeded as error:
            done = sum(self._done.values())
            raise QuotaExceeded(f"{error.detail} {done:,} rows before these were imported.") from error

    def _known(self, tx: Transaction, chunk: list[Columns], ids: Collection[str]) -> list[Columns]:
        asked = {
            "ids": sorted(ids),
            "keys": [row["key"] for row in chunk if row["key"] is not None],
            "fingerprints": [row["fingerprint"] for row in chunk],
        }
        found = tx.read("exchange_known", {**self._base, **asked})
        rows = [{name: row[name] for name in row.keys()} for row in found]  # noqa: SIM118 (rows are not dicts)
        return [{**row, **{name: row[name] or 0 for name in COUNTS}} for row in rows]

    def _write(self, tx: Transaction, plan: _Plan, passages: dict[str, Any], stamp: dict[str, Any]) -> None:
        for old, by in plan.replaced.items():
            tx.run("memory_supersede", {**stamp, "id": old, "by": by, "now": self._now})
            tx.run("passage_delete", {**self._base, "id": old})
        for row in plan.changed.values():
            tx.run("exchange_replace", _stamped(row, stamp))
        self._insert(tx, plan, stamp)
        written = [*plan.changed.values(), *plan.new.values()]
        gone = [(row["id"], ()) for row in written if row["state"] == "superseded"]
        put_passages(tx, self._scope, [*gone, *self._indexed(written, passages)])
        marked = [row for row in written if row["id"] in plan.changed or any(row[name] for name in SIGNALS)]
        tx.run_many("exchange_signals", [{**_signals(row), **self._base} for row in marked])
        for row in written:
            for at, session in row["echoes"]:
                tx.run("echo_insert", {**self._base, "id": row["id"], "session": session, "now": at})
        for old, by in plan.moved.items():
            tx.run("exchange_chain", {**self._base, "id": old, "by": by})

    def _insert(self, tx: Transaction, plan: _Plan, stamp: dict[str, Any]) -> None:
        """Under its own id, or if somebody else has that, of whom nothing is told, under one that is derived from it;
        whoever knows how has taken that as well to keep the row out, so at last under a new one."""
        waiting = list(plan.new.items())
        for named in (str, lambda old: derived_id(**self._base, id_=old), lambda _: self._world.new_id()):
            for old, row in waiting:
                row["id"] = named(old)
            free = [row for _, row in waiting if row["id"] not in self._holders]
            tx.run_many("exchange_insert", [_stamped(row, stamp) for row in free])
            ids = sorted(row["id"] for _, row in waiting)
            mine = {row["id"] for row in tx.read("memory_lock", {**self._base, "ids": ids})} if ids else ()
            waiting = [(old, row) for old, row in waiting if row["id"] not in mine]
        elsewhere = {old: row["id"] for old, row in plan.new.items() if row["id"] != old}
        plan.moved |= elsewhere
        plan.renamed.update(elsewhere.values())

    @staticmethod
    def _indexed(written: list[Columns], passages: dict[str, Any]) -> Iterator[tuple[str, Any]]:
        """What was joined with an older row keeps its content, and so its words and vector."""
        for row in written:
            if row["state"] != "superseded" and row["content"] in passages:
                yield row["id"], passages[row["content"]]


class _Plan:
    """What is to become of the rows of a chunk, given the own items that they may meet."""

    def __init__(self, known: list[Columns], policy: str, now: int, own: Collection[str]) -> None:
        self._policy, self._now, self._own = policy, now, own
        self._by_id = {row["id"]: row for row in known}
        active = [row for row in known if row["state"] == "active"]
        self._holders = {(row["kind"], row["key"]): row for row in active if row["key"] is not None}
        self._twins: dict[Any, list[Columns]] = {}
        for row in active:
            if row["id"] not in own:
                self._twins.setdefault(_identity(row), []).append(row)
        self.new: dict[str, Columns] = {}
        self.changed: dict[str, Columns] = {}
        self.replaced: dict[str, str] = {}  # active items that leave their key to another
        self.moved: dict[str, str] = {}
        self.renamed: set[str] = set()  # ids of items whose own id somebody else has
        self.done: Counter[str] = Counter()
        self.shares = False

    def place(self, row: Columns, elsewhere: str | None) -> None:
        """Decide about one row. ``elsewhere``: the id that it has if somebody else has its own; None: it has a new
        one."""
        mine = self._by_id.get(row["id"]) or self._by_id.get(elsewhere or "")
        holder = self._holders.get((row["kind"], row["key"])) if row["state"] == "active" and row["key"] else None
        if mine is not None and elsewhere is not None and mine["id"] == elsewhere:
            self.renamed.add(elsewhere)
        target = mine or self._twin(row) or self._live(holder)
        if target is not None and target["id"] != row["id"] and elsewhere is not None:
            self.moved[row["id"]] = target["id"]
        if target is None:
            self._put(row, holder, "imported")
            return
        newer = _age(row) > _age(target)
        other = target is holder and mine is None  # who holds the key is another item ...
        joins = self._policy == "merge" and not (other and target["id"] in self._own)  # ... and perhaps itself a row
        same = all(row[name] == target[name] for name in (_SAME if elsewhere else _SAID))
        if joins and not newer and not same:
            self._change(_merged(row, target), target, None, "merged")
            return
        stays = self._policy == "skip" or (self._policy in ("keep-newer", "merge") and not newer)
        stays = stays or same or (mine is not None and holder not in (None, mine) and not self._gives_way(holder, row))
        if stays:
            self.done["skipped"] += 1
        elif joins:
            self._change(_merged(target, row), target, holder, "merged")
        elif other and _identity(target) != _identity(row):
            self.moved.pop(row["id"], None)
            self._put(row, holder, "overwritten")
        else:
            self._change(row, target, holder, "overwritten")

    def _twin(self, row: Columns) -> Columns | None:
        """An own item with the same words under the same key, or with none as the row; not one that is itself a row."""
        twins = self._twins.get(_identity(row), ()) if row["state"] == "active" else ()
        found = next((one for one in twins if row["key"] == one["key"]), None)
        return found if self._live(row) is None else self._live(found)  # what has expired is only met by its like

    def _live(self, holder: Columns | None) -> Columns | None:
        """An item, for instance who holds a key, unless it has expired: then it leaves the key."""
        return None if holder is None or (holder["expires_at"] or self._now + 1) <= self._now else holder

    def _gives_way(self, holder: Columns | None, row: Columns) -> bool:
        live = self._live(holder)
        return live is None or self._policy == "overwrite" or row["updated_at"] > live["updated_at"]

    def _put(self, row: Columns, holder: Columns | None, what: str) -> None:
        if holder is not None:
            self.replaced[holder["id"]] = row["id"]
            self._share(holder)
        self.new[row["id"]] = row
        self._share(row)
        self.done[what] += 1

    def _change(self, row: Columns, target: Columns, holder: Columns | None, what: str) -> None:
        if holder is not None and holder is not target and row["state"] == "active":
            self.replaced[holder["id"]] = target["id"]
            self._share(holder)
        row = {**row, "id": target["id"], "shared": target["shared_seq"] is not None}
        self.changed[row["id"]] = row
        self._share(target)
        self._share(row)
        self.done[what] += 1

    def _share(self, row: Columns) -> None:
        self.shares = self.shares or row["visibility"] != "private" or row.get("shared_seq") is not None


def _age(row: Columns) -> tuple[int, int, int]:
    """By which the newer of two is told: archiving and promoting change nothing of what an item says."""
    return row["updated_at"], row["archived_at"] or 0, row["promoted_at"] or 0


def _identity(row: Columns) -> tuple[Any, ...]:
    """What makes two items the same thing told twice."""
    return row["kind"], row["content"], row["session"], row["occurred_at"]


def _merged(older: Columns, newer: Columns) -> Columns:
    """One item of two: what the newer says; all tags and metadata; the greater importance, the greater of each count
    and time of use; the longer life. Merging twice is the same as once, so nothing is added up."""
    found = dict(newer)
    tags = list(dict.fromkeys([*json.loads(newer["tags"]), *json.loads(older["tags"])]))[:TAGS]
    metadata = {**json.loads(older["metadata"]), **json.loads(newer["metadata"])}
    found["tags"] = to_json(tags)
    if len(repr(metadata)) <= METADATA_BYTES:
        found["metadata"] = to_json(metadata)
    redacted = [*json.loads(newer["redacted"]), *json.loads(older["redacted"])]
    found["redacted"] = to_json(list(dict.fromkeys(redacted)))
    for name in ("importance", "pinned", *COUNTS, "last_shown_at", "last_used_at", "updated_at", "promoted_at"):
        found[name] = max((one[name] for one in (older, newer) if one[name] is not None), default=None)
    ends = [older["expires_at"], newer["expires_at"]]
    found["expires_at"] = None if None in ends else max(ends)
    found["created_at"] = min(older["created_at"], newer["created_at"])
    found["echoes"] = [*older.get("echoes", ()), *newer.get("echoes", ())]
    return found


def _stamped(row: Columns, stamp: dict[str, Any]) -> Columns:
    shared = row["visibility"] != "private" or row.get("shared")
    return {**row, **stamp, "shared_seq": stamp["shared_seq"] if shared else None}


def _signals(row: Columns) -> Columns:
    return {"id": row["id"]} | {name: row[name] or 0 if name in COUNTS else row[name] for name in SIGNALS}


def _told(refused: int, bad: list[BadRow]) -> str:
    first = "".join(f"\n{one.where}: {one.reason}" for one in bad)
    more = f"\nand {refused - len(bad):,} more" if refused > len(bad) else ""
    rows = "A row was" if refused == 1 else f"{refused:,} rows were"
    return f"{rows} refused, so nothing was imported; partial leaves such rows out.{first}{more}"
