"""A small key-value store beside the memories: namespaces, time to live, the same scope for every verb."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from engrain.errors import InvalidField
from engrain.intake.redact import redact_value, refuse_secret
from engrain.intake.validate import CONTENT_BYTES, FIELD_CHARACTERS, NAME_CHARACTERS, json_value, span, text, whole
from engrain.model.scope import Scope
from engrain.store.port import Store
from engrain.store.rows import to_json
from engrain.world import World


class KeyValue:
    """One namespace of one agent. Values are JSON; a key that has outlived its time to live is not there."""

    def __init__(self, store: Store, world: World, scope: Scope, namespace: str, *, redacts: bool) -> None:
        self._redacts = redacts
        if redacts:
            refuse_secret("namespace", namespace)
        self._store = store
        self._world = world
        self._base = {
            "tenant": scope.tenant,
            "agent": scope.agent,
            "namespace": text("namespace", namespace, NAME_CHARACTERS),
        }

    def set(self, key: str, value: Any, ttl: timedelta | str | None = None) -> None:
        """Store a JSON value (to 1 MiB) in place of what was there, for ever or for ``ttl``. Secrets are cut out."""
        if self._redacts:
            refuse_secret("key", key)
        plain = json_value("value", value, 0)
        encoded = to_json(redact_value(plain)[0] if self._redacts else plain)
        if len(encoded.encode()) > CONTENT_BYTES:
            raise InvalidField(f"value has more than {CONTENT_BYTES:,} bytes as JSON.")
        life, now = span("ttl", ttl), self._world.now()
        values = {"key": text("key", key, FIELD_CHARACTERS), "value": encoded, "now": now}
        expires = {"expires_at": None if life is None else now + life}
        sweep = {"tenant": self._base["tenant"], "agent": self._base["agent"], "now": now}
        self._store.write([("kv_sweep", sweep), ("kv_set", {**self._base, **values, **expires})])

    def get(self, key: str, default: Any = None) -> Any:
        """The value, or ``default``."""
        rows = self._store.read(
            "kv_get", {**self._base, "key": text("key", key, FIELD_CHARACTERS), "now": self._world.now()}
        )
        return json.loads(rows[0]["value"]) if rows else default

    def has(self, key: str) -> bool:
        """Whether the key is there."""
        rows = self._store.read(
            "kv_get", {**self._base, "key": text("key", key, FIELD_CHARACTERS), "now": self._world.now()}
        )
        return bool(rows)

    def search(self, prefix: str = "", limit: int = 100) -> dict[str, Any]:
        """Keys that begin with ``prefix`` (no wildcards) and their values, in the order of code points."""
        low = text("prefix", prefix, FIELD_CHARACTERS, blank=True)
        query = {"low": low, "high": beyond(low), "limit": whole("limit", limit, 1, 10_000), "now": self._world.now()}
        return {row["key"]: json.loads(row["value"]) for row in self._store.read("kv_search", {**self._base, **query})}

    def delete(self, key: str) -> bool:
        """Whether it was there."""
        values = {"key": text("key", key, FIELD_CHARACTERS), "now": self._world.now()}
        return self._store.write([("kv_delete", {**self._base, **values})]) == [1]


def beyond(prefix: str) -> str | None:
    """The least string above every string that begins with ``prefix``; None when there is none."""
    while prefix:
        last = ord(prefix[-1])
        if last < 0x10FFFF:
            return prefix[:-1] + chr(0xE000 if last == 0xD7FF else last + 1)  # no surrogates in UTF-8
        prefix = prefix[:-1]
    return None
