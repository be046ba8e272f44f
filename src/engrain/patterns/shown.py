"""How often patterns were shown: counted in memory and written now and then, as no evidence of anything."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence

from engrain.store.port import Store


class Shown:
    """The buffer of one process. ``later``: have ``flush`` called within a second."""

    def __init__(self, store: Store, later: Callable[[], None]) -> None:
        self._store, self._later, self._lock = store, later, threading.Lock()
        self._waiting: dict[str, Counter[str]] = {}

    def note(self, tenant: str, ids: Sequence[str]) -> None:
        """These were shown."""
        if ids:
            with self._lock:
                self._waiting.setdefault(tenant, Counter()).update(ids)
            self._later()

    def pending(self, tenant: str, id_: str) -> int:
        """How often one was shown that is not written yet."""
        waiting = self._waiting.get(tenant)
        return waiting[id_] if waiting else 0

    def flush(self) -> None:
        """Write what waits. Raises StoreError; nothing is lost then."""
        with self._lock:
            waiting, self._waiting = self._waiting, {}
        for tenant, counts in waiting.items():
            try:
                with self._store.transaction(tenant) as tx:
                    for id_, n in sorted(counts.items()):
                        tx.run("pattern_show", {"tenant": tenant, "id": id_, "n": n})
            except BaseException:
                with self._lock:
                    self._waiting.setdefault(tenant, Counter()).update(counts)
                raise
