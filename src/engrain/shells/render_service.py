"""The keys of the service for human eyes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from engrain.model.key import EVERY_TENANT, ApiKey
from engrain.shells.plain import printable
from engrain.shells.screen import age, line, table


def _keys(value: Mapping[str, Any], now: datetime) -> None:
    rows = [
        (one.id, one.name, one.tenant, ", ".join(one.agents or ("all",)), one.rights, _standing(one, now))
        for one in value["keys"]
    ]
    table(rows, ("id", "name", "tenant", "agents", "rights", "standing"))


def _standing(key: ApiKey, now: datetime) -> str:
    if key.revoked_at:
        return "revoked"
    if key.expires_at and key.expires_at <= now:
        return "expired"
    used = f"used {age(key.used_at, now)}" if key.used_at else "never used"
    return f"{used}, until {key.expires_at:%Y-%m-%d}" if key.expires_at else used


def _made_key(key: ApiKey, now: datetime) -> None:
    print(key.key)  # alone in its line, so that it can be taken whole
    told = f"{key.id}: {key.rights} for {'the whole home' if key.tenant == EVERY_TENANT else f'tenant {key.tenant}'}"
    print(printable(f"key {told}. It is not shown again."), file=sys.stderr)  # so that KEY=$(…) is the key alone


SERVICE: dict[str, Callable[[Any, datetime], None]] = {
    "keys create": _made_key,
    "keys list": _keys,
    "keys revoke": lambda key, now: line((f"revoked: {key.id}", "green")),
}
