"""How much an agent and a tenant may remember: active items, and the bytes of their content in UTF-8."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from engrain.errors import QuotaExceeded
from engrain.model.scope import Scope
from engrain.store.port import Transaction

SCOPE = "quota"
"""The scope by which writers of one tenant wait for each other while the tenant has a quota; locked after all others
but that of the transitions."""
_CHUNK = 400


class Used(NamedTuple):
    """What an agent has, at a change number of its scope, and until when that is so if nobody writes."""

    seq: int
    items: int
    bytes: int
    until: int


class Quota:
    """Admits what is about to be written. What agents have is counted once, and again when somebody else has written
    or something has expired: the change numbers of their scopes tell."""

    def __init__(self, limits: Mapping[str, int]) -> None:
        self._limits = limits
        self._known: dict[tuple[str, str], Used] = {}

    def admit(
        self,
        tx: Transaction,
        scope: Scope,
        change: tuple[int, int],
        rows: Sequence[Mapping[str, Any]],
        old: Sequence[str],
    ) -> Used:
        """Raise QuotaExceeded when what is added (``rows``: content, expires_at) does not fit, counting out the items
        that it replaces (``old``). ``change``: the number that the agent's scope was just given, and the time; nothing
        may be written yet. Returns what is to be kept with ``keep`` after the transaction has succeeded."""
        seq, now = change
        seqs = {scope.agent: seq - 1}
        if self._limits["quota_tenant_items"] or self._limits["quota_tenant_bytes"]:
            tx.read("scope_bump", {"tenant": scope.tenant, "name": SCOPE, "purges": 0})
            found = tx.read("quota_agents", {"tenant": scope.tenant})
            seqs = {row["name"]: int(row["seq"]) for row in found} | seqs
        used = self._used(tx, scope.tenant, seqs, now)
        items, size = len(rows), sum(len(row["content"].encode()) for row in rows)
        for start in range(0, len(old), _CHUNK):
            some = {"tenant": scope.tenant, "agent": scope.agent, "ids": old[start : start + _CHUNK], "now": now}
            (gone,) = tx.read("quota_of", some)
            items, size = items - int(gone["items"]), size - int(gone["bytes"])
        mine = used[scope.agent]
        for owner, have in (("agent", [mine]), ("tenant", list(used.values()))):
            who = f"{owner} {getattr(scope, owner)!r}"
            self._check(f"quota_{owner}_items", who, "active items", sum(one.items for one in have), items)
            self._check(f"quota_{owner}_bytes", who, "bytes of content", sum(one.bytes for one in have), size)
        until = min([mine.until, *(row["expires_at"] for row in rows if row["expires_at"] is not None)])
        return Used(seq, mine.items + items, mine.bytes + size, until)

    def keep(self, scope: Scope, used: Used) -> None:
        """Note what an agent has after its transaction has succeeded."""
        self._known[scope.tenant, scope.agent] = used

    def _used(self, tx: Transaction, tenant: str, seqs: Mapping[str, int], now: int) -> dict[str, Used]:
        known = {agent: self._known.get((tenant, agent)) for agent in seqs}
        used = {agent: one for agent, one in known.items() if one and one.seq == seqs[agent] and now < one.until}
        moved = [agent for agent in seqs if agent not in used]
        for start in range(0, len(moved), _CHUNK):
            some = moved[start : start + _CHUNK]
            used |= {agent: Used(seqs[agent], 0, 0, 1 << 62) for agent in some}
            for row in tx.read("quota_used", {"tenant": tenant, "agents": some, "now": now}):
                agent = row["agent"]
                used[agent] = Used(seqs[agent], int(row["items"]), int(row["bytes"]), int(row["until"]))
        self._known |= {(tenant, agent): used[agent] for agent in moved}
        return used

    def _check(self, name: str, who: str, what: str, have: int, more: int) -> None:
        limit = self._limits[name]
        if limit and more > 0 and have + more > limit:
            raise QuotaExceeded(
                f"The {who} has {have:,} of {limit:,} {what}; this would add {more:,}, and nothing of it was stored. "
                f"Forget something, or raise {name}."
            )
