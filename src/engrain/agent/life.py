"""How an agent's memories fare: what was archived, what is to be kept, and what happened to them."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from engrain.agent.memories import Memories
from engrain.archive.port import Asked
from engrain.errors import InvalidField, UnknownItem
from engrain.intake import validate
from engrain.intake.revise import not_active
from engrain.model.event import Event
from engrain.model.item import LIVE, MemoryItem
from engrain.store.rows import item_from_row
from engrain.store.transitions import event_from_row, place_of
from engrain.world import to_micros

if TYPE_CHECKING:
    from engrain.lifecycle.rules import Decision
    from engrain.model.life import Life as Lived
    from engrain.model.life import Rules
    from engrain.store.port import Row


class Life(Memories):
    """The verbs of the lifecycle."""

    def archived(
        self, limit: int = 100, after: MemoryItem | str | None = None, reason: str | None = None
    ) -> builtins.list[MemoryItem]:
        """One's own archived items, the latest first, of one ``archived_reason`` if that is given; ``after`` the last
        item of the page before (or its id)."""
        self._memory._check_open()
        limit, reason = validate.whole("limit", limit, 1, 10_000), self._optional("reason", reason)
        before: tuple[int, str] | None = None
        if isinstance(after, str):
            row = self._archived(validate.text("after", after, validate.FIELD_CHARACTERS))
            if row is None:
                raise UnknownItem(f"after={after!r} is not in the archive; pass the last item instead of its id.")
            before = int(row["archived_at"]), after
        elif isinstance(after, MemoryItem) and after.archived_at is not None:
            before = to_micros(after.archived_at), after.id
        elif after is not None:
            raise InvalidField("after must be an archived item or its id.")
        found = self._memory.tiers.find(self.scope, limit, Asked(reason=reason, before=before))
        return [item_from_row(row) for row in found]

    def restore(
        self, id: str, expires_in: timedelta | str | None = None, on_conflict: str = "keep-newer"
    ) -> MemoryItem:
        """Bring an archived item back; it is spared from fading away for 30 days. What had expired stays for 30 days,
        or ``expires_in``. When its key was taken meanwhile, or the same was told again, ``on_conflict`` says what
        becomes of it: "skip" (it stays archived), "overwrite" (it replaces the other), "keep-newer" (the one told last
        stays) or "merge" (that, with the tags, metadata and counts of both). Raises UnknownItem when it is not
        archived, and InvalidField when it stays so."""
        self._memory._check_open()
        _policy(on_conflict)
        span = validate.span("expires_in", expires_in)
        row = self._archived(self._id(id))
        if row is None:
            raise UnknownItem(f"{id!r} is not an archived item of agent {self.scope.agent!r}.")
        return self._memory.restorer.restore(self.scope, row, span, on_conflict)

    def restore_where(
        self,
        query: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        reason: str | None = None,
        kinds: Sequence[str] | None = None,
        limit: int = 100,
        expires_in: timedelta | str | None = None,
        on_conflict: str = "keep-newer",
        dry_run: bool = False,
    ) -> builtins.list[MemoryItem]:
        """Bring archived items back, each as ``restore`` does: what answers ``query`` best, or else what was archived
        last. ``since`` inclusive, ``until`` exclusive, by when it happened, else when it was told, as with ``recall``;
        ``reason``: why it was archived; ``kinds``: any of. At least one of these must be given. What came back is
        returned, without what stays archived as its place was taken meanwhile; with ``dry_run``, what would."""
        self._memory._check_open()
        _policy(on_conflict)
        span = validate.span("expires_in", expires_in)
        limit, dry_run = validate.whole("limit", limit, 1, 10_000), validate.flag("dry_run", dry_run)
        wanted = None if kinds is None else self._kinds(kinds)
        times = validate.moment("since", since), validate.moment("until", until)
        asked = Asked(self._optional("reason", reason), *times, wanted)
        if query is not None:
            hits = self.search_archive(query, min(limit, 1000), kinds=kinds, since=since, until=until)
            found = self._memory.tiers.many(self.scope, [hit.item.id for hit in hits])
            found = [row for row in found if asked.reason in (None, row["archived_reason"])]
        elif asked == Asked():
            raise InvalidField("restore_where() needs at least one of query, since, until, reason, kinds.")
        else:
            found = self._memory.tiers.find(self.scope, limit, asked)
        restorer, back = self._memory.restorer, []
        for row in found:
            if dry_run:
                back += [item_from_row(row)] if restorer.comes_back(self.scope, row, on_conflict) else []
                continue
            with suppress(UnknownItem, InvalidField):  # somebody else was quicker, or its place is taken
                back.append(restorer.restore(self.scope, row, span, on_conflict))
        return back

    def _archived(self, id_: str) -> Row | None:
        return next(iter(self._memory.tiers.many(self.scope, [id_])), None)

    def promote(self, id: str) -> MemoryItem:
        """Make knowledge of one's own item, as time and use do by themselves: it stays as it is, noted in
        ``promoted_at``, and an item of kind ``knowledge`` says the same with the source ``promoted:ID``. Twice is as
        once. Raises UnknownItem when there is no such active item."""
        self._memory._check_open()
        from engrain.lifecycle.acts import Acts
        from engrain.lifecycle.rules import KEEP, Act, Decision

        def asked(life: Lived, now: int, rules: Rules) -> Decision:
            mine = life.agent == self.scope.agent and life.state in LIVE and (life.expires_at or now + 1) > now
            return Decision(Act.PROMOTE, "asked") if mine and life.promoted_at is None else KEEP

        memory, actor = self._memory, f"agent:{self.scope.agent}"
        acts = Acts(memory.store, memory.world, memory.tiers, memory.rules, actor)
        while decided := acts.decided(self.scope.tenant, [self._id(id)], asked):  # again, if it was used meanwhile
            acts.carry_out(self.scope.tenant, decided)
        item = memory.items.get(self.scope, id)
        if item is None or item.agent != self.scope.agent or item.state not in LIVE:
            raise not_active(id, self.scope.agent, "archived" if self._archived(id) else "")
        return item

    def pin(self, id: str, pinned: bool = True) -> MemoryItem:
        """Keep one's own item from fading, or (False) let it fade again, from now on. Raises UnknownItem when there is
        no such active item."""
        self._memory._check_open()
        change = validate.change({"pinned": pinned}, self._memory.kinds)
        return self._memory.reviser.update(self.scope, self._id(id), change)

    def transitions(
        self, id: str | None = None, after: Event | str | None = None, limit: int = 100
    ) -> builtins.list[Event]:
        """What happened to one's own memories, or to one of them, in the order in which it happened; ``after`` the last
        event of the page before (or its id). Kept for 400 days."""
        self._memory._check_open()
        id_ = getattr(after, "id", after)
        place = (0, -1) if after is None else place_of(id_) if isinstance(id_, str) else None
        if place is None:
            raise InvalidField(f"after must be an event or its id, not {validate.shown(after)}.")
        query = {
            "tenant": self.scope.tenant,
            "agent": self.scope.agent,
            "memory_id": self._optional("id", id),
            "after_seq": place[0],
            "after_place": place[1],
            "limit": validate.whole("limit", limit, 1, 10_000),
        }
        return [event_from_row(row) for row in self._memory.store.read("transition_list", query)]

    @staticmethod
    def _id(given: str) -> str:
        return validate.text("id", given, validate.FIELD_CHARACTERS)


def _policy(on_conflict: str) -> None:
    from engrain.lifecycle.restore import ON_CONFLICT

    if on_conflict not in ON_CONFLICT:
        raise InvalidField(f"on_conflict must be one of {', '.join(ON_CONFLICT)}, not {validate.shown(on_conflict)}.")
