"""What an agent remembers: telling, finding, changing, forgetting, and saying what helped."""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from engrain.agent.base import Scoped
from engrain.errors import InvalidField, InvalidInput, StoreUnavailable
from engrain.intake import validate
from engrain.intake.kv import KeyValue, beyond
from engrain.model.item import Hit, MemoryItem, Session

if TYPE_CHECKING:
    from engrain.recall.recaller import Archival


class Memories(Scoped):
    """The verbs that tell and find."""

    def remember(
        self,
        content: str,
        kind: str = "context",
        key: str | None = None,
        importance: float = 5.0,
        tags: Sequence[str] = (),
        metadata: Mapping[str, Any] | None = None,
        session: str | None = None,
        role: str | None = None,
        occurred_at: datetime | None = None,
        expires_in: timedelta | str | None = None,
        decay_rate: float | None = None,
        visibility: str = "private",
        pinned: bool = False,
        source: str | None = None,
        expects: str | None = None,
    ) -> MemoryItem:
        """Keep something: durable when this returns. Content is text up to 1 MiB; importance is 1–10; ``expires_in`` is
        a timedelta or "30d". The same thing told again returns the existing item. With a ``key``, new content replaces
        the old, which stays reachable as superseded. ``expects``: the id of the item that is to be replaced, "" for
        none. Raises InvalidInput when a field is refused, and Changed when something else is under the key by now; then
        nothing is stored."""
        self._memory._check_open()
        row: dict[str, Any] = {"content": content, "kind": kind, "importance": importance, "visibility": visibility}
        row |= {"tags": tags, "pinned": pinned}
        for name, value in (
            ("key", key),
            ("metadata", metadata),
            ("session", session),
            ("role", role),
            ("occurred_at", occurred_at),
            ("expires_in", expires_in),
            ("decay_rate", decay_rate),
            ("source", source),
        ):
            if value is not None:
                row[name] = value
        if expects is not None:
            expects = validate.text("expects", expects, validate.FIELD_CHARACTERS, blank=True)
            if key is None:
                raise InvalidField("expects goes with a key: it says what is to be under it.")
        return self._remember([validate.draft(row, self._memory.kinds)], expects)[0]

    def remember_many(self, rows: Iterable[Mapping[str, Any]]) -> builtins.list[MemoryItem]:
        """Keep many in one transaction: all or none, one item per row, in order. Rows have ``remember``'s fields."""
        self._memory._check_open()
        drafts = []
        for number, row in enumerate(self._rows(rows)):
            try:
                drafts.append(validate.draft(row, self._memory.kinds))
            except InvalidInput as error:
                raise type(error)(f"Row {number}: {error.detail}") from error
        return self._remember(drafts)

    def _remember(self, drafts: Sequence[validate.Draft], expects: str | None = None) -> builtins.list[MemoryItem]:
        items = self._memory.writer.remember(self.scope, drafts, register=not self._known, expects=expects)
        self._known = self._known or bool(items)
        return items

    def recall(
        self,
        query: str,
        limit: int = 10,
        kinds: Sequence[str] | None = None,
        tags: Sequence[str] | None = None,
        session: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        min_score: float | None = None,
        include_archived: bool = False,
    ) -> builtins.list[Hit]:
        """The items that answer a question best, with their scores (0–1) and why. ``kinds``: any of; ``tags``: all of;
        ``since`` inclusive, ``until`` exclusive, by when it happened, else when it was told. Showing is not using.
        ``include_archived``: one's own archived items, too; ``archived_at`` tells them from the others. Raises
        ArchiveError when the archive cannot be read."""
        archived: Archival = "also" if validate.flag("include_archived", include_archived) else "no"
        return self._recalled(query, limit, kinds, tags, session, since, until, min_score, archived)

    def search_archive(
        self,
        query: str,
        limit: int = 10,
        kinds: Sequence[str] | None = None,
        tags: Sequence[str] | None = None,
        session: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        min_score: float | None = None,
    ) -> builtins.list[Hit]:
        """As ``recall``, among one's own archived items alone; ``restore`` brings one back. Raises ArchiveError when
        the archive cannot be read."""
        return self._recalled(query, limit, kinds, tags, session, since, until, min_score, "only")

    def _recalled(
        self,
        query: str,
        limit: int,
        kinds: Sequence[str] | None,
        tags: Sequence[str] | None,
        session: str | None,
        since: datetime | None,
        until: datetime | None,
        min_score: float | None,
        archived: Archival,
    ) -> builtins.list[Hit]:
        self._memory._check_open()
        validate.moment("since", since)
        validate.moment("until", until)
        hits = self._memory.recaller.recall(
            self.scope,
            validate.text("query", query, validate.CONTENT_BYTES),
            limit=validate.whole("limit", limit, 1, 1000),
            kinds=None if kinds is None else self._kinds(kinds),
            tags=None if tags is None else validate.tags(tags),
            session=self._optional("session", session),
            since=since,
            until=until,
            min_score=None if min_score is None else validate.number("min_score", min_score, 0.0, 1.0),
            archived=archived,
        )
        self._memory.signals.shown(self.scope.tenant, [hit.item.id for hit in hits if hit.item.archived_at is None])
        return hits

    def context(self, query: str, max_tokens: int = 800) -> str:
        """What is known about a question as one block for a prompt, never above ``max_tokens``; "" if nothing. First
        come the strategies that proved themselves for it, and warnings, where there are such patterns: in a third of
        the room at most."""
        self._memory._check_open()
        query = validate.text("query", query, validate.CONTENT_BYTES)
        max_tokens = validate.whole("max_tokens", max_tokens, 1, 1_000_000)
        first, used = self._memory.strategies(self.scope, query, max_tokens // 3)
        block, ids = self._memory.recaller.context(self.scope, query, max_tokens=max_tokens - used)
        self._memory.signals.shown(self.scope.tenant, list(ids))
        return "\n".join(part for part in (first, block) if part)

    def get(self, id: str) -> MemoryItem | None:
        """An item by id: one's own, or one that a team mate or the tenant shares. Counts as use."""
        self._memory._check_open()
        item = self._memory.items.get(self.scope, validate.text("id", id, validate.FIELD_CHARACTERS))
        if item is None:
            return None
        self._memory.signals.used(self.scope.tenant, item.id, read=1)
        return item

    def lookup(self, kind: str, key: str) -> MemoryItem | None:
        """One's own current item under a key, or None."""
        self._memory._check_open()
        kind = validate.kind_name(kind, self._memory.kinds)
        return self._memory.items.lookup(self.scope, kind, validate.text("key", key, validate.FIELD_CHARACTERS))

    def history(self, kind: str, key: str) -> builtins.list[MemoryItem]:
        """All versions under a key, the current one first."""
        self._memory._check_open()
        kind = validate.kind_name(kind, self._memory.kinds)
        return self._memory.items.history(self.scope, kind, validate.text("key", key, validate.FIELD_CHARACTERS))

    def update(self, id: str, **change: Any) -> MemoryItem:
        """Change fields of one's own item (not kind or key). Raises UnknownItem when there is no such active item."""
        self._memory._check_open()
        changed = validate.change(change, self._memory.kinds)
        return self._memory.reviser.update(self.scope, validate.text("id", id, validate.FIELD_CHARACTERS), changed)

    def list(
        self,
        kind: str | None = None,
        limit: int = 100,
        after: MemoryItem | str | None = None,
        prefix: str | None = None,
        newest: bool = False,
    ) -> builtins.list[MemoryItem]:
        """One's own active items, oldest first, or (``newest``) latest first; ``after`` the last item of the page
        before (or its id); ``prefix``: only those whose key begins with it."""
        self._memory._check_open()
        kind = None if kind is None else validate.kind_name(kind, self._memory.kinds)
        if after is not None and not isinstance(after, MemoryItem):
            after = validate.text("after", after, validate.FIELD_CHARACTERS)
        keys = None
        if prefix is not None:
            prefix = validate.text("prefix", prefix, validate.FIELD_CHARACTERS)
            keys = prefix, beyond(prefix) or chr(0x10FFFF) * (validate.FIELD_CHARACTERS + 1)
        newest, limit = validate.flag("newest", newest), validate.whole("limit", limit, 1, 10_000)
        return self._memory.items.list(self.scope, kind, limit, after, keys, newest=newest)

    def sessions(self, prefix: str = "", kind: str | None = None, limit: int = 100) -> builtins.list[Session]:
        """The sessions that one's own active items are of, the one that was written to last first. ``prefix``: what
        their names begin with."""
        self._memory._check_open()
        prefix = validate.text("prefix", prefix, validate.FIELD_CHARACTERS, blank=True)
        kind = None if kind is None else validate.kind_name(kind, self._memory.kinds)
        return self._memory.items.sessions(self.scope, prefix, kind, validate.whole("limit", limit, 1, 10_000))

    def count(self, kind: str | None = None) -> int:
        """How many active items one has."""
        self._memory._check_open()
        return self._memory.items.count(
            self.scope, None if kind is None else validate.kind_name(kind, self._memory.kinds)
        )

    def forget(self, id: str | None = None, *, everything: bool = False) -> bool:
        """Delete one's own item, its older versions, words and vectors, and what promotion made of it, for good. True
        if it was there. ``everything`` (without an id) deletes all that this agent has: items in any state, keys and
        values, decisions, experiences, patterns, what was learned from them, and their traces; True if there was
        anything. Copies made before, and other agents' items, stay."""
        self._memory._check_open()
        if everything is not (id is None):
            raise InvalidField("id must be given, or everything=True without one.")
        if everything:
            from engrain.exchange.erase import forget_everything

            parts = self._memory
            parts.take_in()  # what waits goes with the rest, and does not come back afterwards
            parts.signals.flush()
            made_of = (parts.reviser, parts.learner, parts.tiers, parts.bank)
            count = forget_everything(parts.store, parts.world, *made_of, self.scope)
            try:
                parts.spool.forget(self.scope.tenant, self.scope.agent)
            except OSError as error:
                raise StoreUnavailable(f"{parts.spool.folder} still has something of this agent: {error}.") from error
        else:
            count = self._memory.reviser.forget(self.scope, [validate.text("id", id, validate.FIELD_CHARACTERS)])
        return self._forgotten(count) > 0

    def forget_where(
        self, kind: str | None = None, tags: Sequence[str] | None = None, before: datetime | None = None
    ) -> int:
        """Delete one's own items of a kind, with all of some tags, from before a moment; at least one must be given."""
        self._memory._check_open()
        count = self._memory.reviser.forget_where(
            self.scope,
            kind=None if kind is None else validate.kind_name(kind, self._memory.kinds),
            tags=None if tags is None else validate.tags(tags),
            before=validate.moment("before", before),
        )
        return self._forgotten(count)

    def helpful(self, id: str, helpful: bool = True) -> None:
        """Say whether a recalled item or a pattern helped. This, not showing, is evidence. Raises UnknownItem."""
        self._memory._check_open()
        validate.flag("helpful", helpful)
        if self._used_pattern(id, "helpful", helpful):
            return
        self._memory.signals.used(self.scope.tenant, seen := self._seen(id), helpful=helpful)
        self._memory.feedback.say(self.scope, seen, helpful)

    def applied(self, id: str) -> None:
        """Say that a recalled item or a pattern was acted upon. Raises UnknownItem."""
        self._memory._check_open()
        if self._used_pattern(id, "applied", None):
            return
        self._memory.signals.used(self.scope.tenant, seen := self._seen(id), applied=1)
        self._memory.feedback.say(self.scope, seen, True)

    def adaptation(self) -> dict[str, Any]:
        """How far this tenant's feedback has changed its ranking: whether it is on, from how many examples, and the
        gain that cross-validation measured (nDCG, with its lower bound); None where nothing is known yet."""
        self._memory._check_open()
        self._memory.signals.flush()
        return self._memory.feedback.status(self.scope.tenant)

    def reset_adaptation(self) -> int:
        """Delete what feedback taught this tenant's ranking, and the examples; how many examples there were. The counts
        of helpful and unhelpful votes stay with the items."""
        self._memory._check_open()
        return self._memory.feedback.reset(self.scope.tenant)

    def kv(self, namespace: str = "default") -> KeyValue:
        """A key-value namespace of this agent: set, get, has, search, delete, with time to live."""
        self._memory._check_open()
        return KeyValue(
            self._memory.store, self._memory.world, self.scope, namespace, redacts=self._memory.config.redact
        )

    def _used_pattern(self, id: str, stage: str, success: bool | None) -> bool:
        """Note a claim about a pattern; False when the id is that of an item, or of nothing."""
        bank = self._memory.bank
        if bank.empty(self.scope) or not bank.knows(self.scope, validate.text("id", id, validate.FIELD_CHARACTERS)):
            return False
        from engrain.patterns.uses import Use

        bank.use(self.scope, id, Use(stage, success, "claimed"))
        return True

    def _forgotten(self, count: int) -> int:
        if count:
            self._memory.feedback.forgotten(self.scope.tenant)
        return count
