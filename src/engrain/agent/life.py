"""How an agent's memories fare: what was archived, what is to be kept, and what happened to them."""

from __future__ import annotations

import builtins
from datetime import timedelta
from typing import TYPE_CHECKING

from engrain.agent.base import Scoped
from engrain.errors import InvalidField, UnknownItem
from engrain.intake import validate
from engrain.intake.revise import not_active
from engrain.model.event import Event
from engrain.model.item import LIVE, MemoryItem
from engrain.store.transitions import event_from_row, place_of
from engrain.world import to_micros

if TYPE_CHECKING:
    from engrain.lifecycle.rules import Decision
    from engrain.model.life import Life as Lived
    from engrain.model.life import Rules


class Life(Scoped):
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
            row = self._memory.tiers.get(self.scope, validate.text("after", after, validate.FIELD_CHARACTERS))
            if row is None:
                raise UnknownItem(f"after={after!r} is not in the archive; pass the last item instead of its id.")
            before = int(row["archived_at"]), after
        elif isinstance(after, MemoryItem) and after.archived_at is not None:
            before = to_micros(after.archived_at), after.id
        elif after is not None:
            raise InvalidField("after must be an archived item or its id.")
        return self._memory.tiers.list(self.scope, limit, before, reason)

    def restore(
        self, id: str, expires_in: timedelta | str | None = None, on_conflict: str = "keep-newer"
    ) -> MemoryItem:
        """Bring an archived item back; it is spared from fading away for 30 days. What had expired stays for 30 days,
        or ``expires_in``. When its key was taken meanwhile, or the same was told again, ``on_conflict`` says what
        becomes of it: "skip" (it stays archived), "overwrite" (it replaces the other), "keep-newer" (the one told last
        stays) or "merge" (that, with the tags, metadata and counts of both). Raises UnknownItem when it is not
        archived, and InvalidField when it stays so."""
        self._memory._check_open()
        from engrain.lifecycle.restore import ON_CONFLICT

        if on_conflict not in ON_CONFLICT:
            raise InvalidField(
                f"on_conflict must be one of {', '.join(ON_CONFLICT)}, not {validate.shown(on_conflict)}."
            )
        span = validate.span("expires_in", expires_in)
        return self._memory.restorer.restore(self.scope, self._id(id), span, on_conflict)

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
            raise not_active(id, self.scope.agent, "archived" if memory.tiers.get(self.scope, id) else "")
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
