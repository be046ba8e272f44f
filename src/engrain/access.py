"""Who may call the service, and what it keeps for its callers: keys, and the answers that a repeat is given again."""

from __future__ import annotations

import builtins
import hashlib
import hmac
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from engrain.errors import InvalidField, NotFound, StoreError
from engrain.intake import validate
from engrain.model.event import Event
from engrain.model.key import EVERY_TENANT, RIGHTS, ApiKey
from engrain.store.port import Row, Store
from engrain.store.rows import to_json
from engrain.store.transitions import SCOPE, event_from_row
from engrain.world import World, from_micros

HOUR = 3_600_000_000  # µs
DAY = 24 * HOUR
KEPT = DAY  # how long an answer is given again
END = 2**31 - 1  # behind the last place of a number
LOST = 15_000_000  # µs without a word from whoever is at a request, after which it counts as dead

_log = logging.getLogger(__name__)


# -- keys -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Caller:
    """Who a request comes from: the id of its key, "" where the service is open. ``home``: of every tenant."""

    owner: str
    tenant: str
    agents: tuple[str, ...] | None
    rights: str
    home: bool = False

    def may(self, rights: str) -> bool:
        return RIGHTS.index(self.rights) >= RIGHTS.index(rights)

    def is_for(self, agent: str) -> bool:
        return self.agents is None or agent in self.agents


class Keys:
    """The keys of a home. They are looked up anew for each request, so that a revoked one ends at once everywhere."""

    def __init__(self, store: Store, world: World) -> None:
        self._store = store
        self._world = world

    def create(
        self, name: str, tenant: str, agents: Sequence[str] | None, rights: str, expires_in: timedelta | str | None
    ) -> ApiKey:
        """Make a key; the answer is the only one that ever has it."""
        if rights not in RIGHTS:
            raise InvalidField(f"rights must be one of {', '.join(RIGHTS)}, not {rights!r}.")
        validate.text("name", name, validate.NAME_CHARACTERS)
        validate.text("tenant", tenant, validate.NAME_CHARACTERS)
        names = None if agents is None else [validate.text("agents", one, validate.NAME_CHARACTERS) for one in agents]
        if isinstance(agents, str) or names == []:
            raise InvalidField("agents must be a list of names; leave it out for all agents of the tenant.")
        if tenant == EVERY_TENANT and names is not None:
            raise InvalidField("agents are those of one tenant; a key of every tenant has all.")
        life, now, id_ = validate.span("expires_in", expires_in), self._world.now(), self._world.new_id()
        key = f"eg_{id_}_{self._world.rng.getrandbits(256):064x}"
        row = {
            "id": id_, "digest": _digest(key), "name": name, "tenant": tenant, "rights": rights, "now": now,
            "agents": None if names is None else to_json(names), "expires_at": None if life is None else now + life,
        }  # fmt: skip
        self._store.write([("key_insert", row)])
        return next(_shown(one, key) for one in self._rows(tenant) if one["id"] == id_)

    def list(self, tenant: str | None) -> builtins.list[ApiKey]:
        """All keys, or those of one tenant, oldest first; revoked and expired ones too."""
        return [_shown(row) for row in self._rows(tenant)]

    def revoke(self, id_: str, tenant: str | None) -> ApiKey:
        """End a key for good. Raises NotFound."""
        validate.text("id", id_, validate.FIELD_CHARACTERS)
        with self._store.transaction("*") as tx:
            there = tx.run("key_revoke", {"id": id_, "tenant": tenant_name(tenant), "now": self._world.now()})
        if not there:
            raise NotFound(f"There is no key with the id {id_!r}.")
        return next(_shown(row) for row in self._rows(tenant) if row["id"] == id_)

    def needed(self) -> bool:
        """Whether there was ever a key: then nobody comes in without one, also when all were revoked."""
        return bool(self._store.read("key_any"))

    def caller(self, key: str) -> Caller | None:
        """Who a key stands for; None when it is wrong, expired or revoked, which takes the same time."""
        now = self._world.now()
        parts = key.split("_")
        rows = self._store.read("key_find", {"id": parts[1] if len(parts) == 3 else "", "now": now})
        kept = rows[0]["digest"] if rows else _digest("")
        if not hmac.compare_digest(kept, _digest(key)) or not rows:
            return None
        row = rows[0]
        if row["used_at"] is None or row["used_at"] + HOUR <= now:
            try:
                self._store.write([("key_used", {"id": row["id"], "now": now})])
            except StoreError as error:  # whoever only reads is not to fail by a store that cannot be written
                _log.warning("that the key %s was used could not be noted: %s", row["id"], error)
        return Caller(row["id"], row["tenant"], _agents(row), row["rights"])

    def _rows(self, tenant: str | None) -> builtins.list[Row]:
        return self._store.read("key_list", {"tenant": tenant_name(tenant)})


def tenant_name(given: str | None) -> str | None:
    """The name, when it can be one. Raises InvalidField."""
    return None if given is None else validate.text("tenant", given, validate.NAME_CHARACTERS)


def _digest(key: str) -> str:
    """256 random bits need no salt and no slow hash: nobody can guess them."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def _agents(row: Row) -> tuple[str, ...] | None:
    return None if row["agents"] is None else tuple(json.loads(row["agents"]))


def _shown(row: Row, key: str | None = None) -> ApiKey:
    expires, revoked, used = (
        None if row[name] is None else from_micros(row[name]) for name in ("expires_at", "revoked_at", "used_at")
    )
    made = row["id"], row["name"], row["tenant"], _agents(row), row["rights"], from_micros(row["created_at"])
    return ApiKey(*made, expires, revoked, used, key)


# -- replies ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reply:
    """What is known under a key of idempotency. ``state`` is one of: mine (carry it out), running, lost (whoever was at
    it is gone, and whether it was done is not known), other (it was another request), done."""

    state: str
    status: int = 0
    body: str = ""


class Replies:
    """Answers by the keys of idempotency that came with their requests, kept for 24 hours. ``holder`` names this server
    among those that share a store."""

    def __init__(self, store: Store, world: World) -> None:
        self._store = store
        self._world = world
        self._holder = world.new_id()
        self._late: builtins.list[tuple[str, dict[str, Any]]] = []

    def claim(self, caller: Caller, key: str, digest: str, again: bool) -> Reply:
        """The right to carry a request out, or what became of it. ``again``: it may be done twice without harm, and so
        be done over after a crash."""
        now = self._world.now()
        row = self._row(caller, key, digest=digest, holder=self._holder, now=now, old=now - KEPT, lost=now - LOST)
        with self._store.transaction(caller.tenant) as tx:
            if tx.read("reply_claim", {**row, "again": int(again)}):
                return Reply("mine")
            found = tx.read("reply_find", self._row(caller, key))[0]
        if found["digest"] != digest:
            return Reply("other")
        if found["status"] is None:
            return Reply("lost" if found["at"] <= now - LOST else "running")
        return Reply("done", found["status"], found["body"])

    def settle(self, caller: Caller, key: str, status: int, body: str) -> None:
        """Keep the answer. That of a fault of ours is not kept: a repeat is to be carried out."""
        row = self._row(caller, key, holder=self._holder)
        late = ("reply_drop", row) if status >= 500 else ("reply_store", {**row, "status": status, "body": body})
        try:
            self._store.write([late])
        except StoreError as error:  # it was done all the same, and its caller is to hear so
            _log.warning("an answer is kept when the store can be written again: %s", error)
            self._late.append(late)

    def beat(self) -> None:
        """Say that this server is alive and at its requests; keep what could not be kept, forget what is too old."""
        now, late = self._world.now(), tuple(self._late)
        alive = ("reply_alive", {"holder": self._holder, "now": now}), ("reply_sweep", {"old": now - KEPT})
        self._store.write([*late, *alive])
        del self._late[: len(late)]

    @staticmethod
    def _row(caller: Caller, key: str, **more: Any) -> dict[str, Any]:
        return {"tenant": caller.tenant, "owner": caller.owner, "key": key, **more}


# -- events -----------------------------------------------------------------------------------------------------------


def events(
    store: Store, caller: Caller, after: tuple[int, int] | None, limit: int
) -> tuple[builtins.list[Event], tuple[int, int]]:
    """What happened to the memories of a tenant after a place in its log, or None: from now on; and the place to go on
    from. What is of agents that the caller may not see is left out."""
    if after is None:
        rows = store.read("scope_state", {"tenant": caller.tenant, "name": SCOPE})
        return [], (int(rows[0]["seq"]) if rows else 0, END)
    base = {"tenant": caller.tenant, "agent": None, "memory_id": None, "limit": limit}
    place = {"after_seq": after[0], "after_place": min(after[1], END)}
    rows = store.read("transition_list", {**base, **place})
    last = (int(rows[-1]["seq"]), int(rows[-1]["place"])) if rows else after
    return [event_from_row(row) for row in rows if caller.is_for(row["agent"])], last
