"""Letting go of old attempts: their texts go, what counts stays.

An attempt that is cleared keeps its place with its signature, type, target, plan, fixer, outcome and times: a line of
some 200 bytes. So no sum loses anything, sums can still be made anew, and an import of the same attempt is recognised.
What was done lives on in ``fix_plans``, what went wrong in ``signatures``.
"""

from __future__ import annotations

from collections.abc import Callable

from engrain.fixes.book import own_scope
from engrain.model.fading import DAY
from engrain.model.fix import FixesCleaned
from engrain.model.scope import Scope
from engrain.store.changes import bump
from engrain.store.port import Store
from engrain.world import World

BATCH = 500


class Retention:
    """Clears. ``days`` after which what is not a verified solution is let go, ``verified_days`` for these."""

    def __init__(self, store: Store, world: World, days: float, verified_days: float) -> None:
        self._store, self._world, self._days, self._verified = store, world, days, verified_days

    def clean(self, scope: Scope, days: float | None, dry: bool) -> FixesCleaned:
        """Clear one agent's own."""
        found = self._store.read("fix_old_counts", {**self._before(days), "tenant": scope.tenant, "agent": scope.agent})
        if not dry:
            self._clear(self._store, scope, days, lambda: False)
        return FixesCleaned(int(found[0]["n"]), int(found[0]["solved"]), dry)

    def sweep(self, store: Store, dry: bool, stop: Callable[[], bool]) -> tuple[int, bool]:
        """Clear everybody's, through ``store``; how many, and whether it came to its end."""
        done = 0
        for row in store.read("fix_old_agents", self._before(None)):
            if dry:
                done += int(row["n"])
                continue
            done += self._clear(store, Scope(row["tenant"], row["agent"]), None, stop)
            if stop():
                return done, False
        return done, True

    def _before(self, days: float | None) -> dict[str, int]:
        """Before when it must have happened; verified solutions are never kept for less than the others."""
        usual, now = self._days if days is None else days, self._world.now()
        return {
            "before": now - int(usual * DAY),
            "verified_before": now - int(max(usual, self._verified) * DAY),
        }

    def _clear(self, store: Store, scope: Scope, days: float | None, stop: Callable[[], bool]) -> int:
        """Batch by batch, so that nobody waits long for the lock."""
        base = {"tenant": scope.tenant, "agent": scope.agent}
        query, done = {**base, **self._before(days), "limit": BATCH}, 0
        while not stop():
            with store.transaction(scope.tenant) as tx:
                ids = [row["id"] for row in tx.read("fix_old", query)]
                if not ids:
                    break
                bump(tx, scope.tenant, own_scope(scope.agent))
                tx.run("fix_clear", {**base, "ids": ids, "now": self._world.now()})
            done += len(ids)
        return done
