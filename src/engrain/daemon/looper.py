"""A thread that looks again and again whether something is due."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

SECONDS = 30.0  # between two looks at most; at least half of it, so that many processes do not look in step

_log = logging.getLogger(__name__)


class Looper:
    """Calls ``tick(stop)`` in a thread between ``start`` and ``stop``, also as a context manager. A tick is told
    through ``stop()`` that it should come to an end. An error is logged and never ends the thread."""

    def __init__(self, tick: Callable[[Callable[[], bool]], Any], rng: random.Random, seconds: float = SECONDS) -> None:
        self._tick = tick
        self._rng = rng
        self._seconds = seconds
        self._halt = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> Self:
        """Begin; harmless when it runs."""
        if self._thread is None:
            self._halt.clear()
            self._thread = threading.Thread(target=self._run, name="engrain-roles", daemon=True)
            self._thread.start()
        return self

    def stop(self) -> None:
        """Ask the tick that runs to end, and wait until it has; harmless when nothing runs."""
        self._halt.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
        self._thread = None

    def tick(self) -> None:
        """One look now, in this thread."""
        try:
            self._tick(self._halt.is_set)
        except Exception as error:  # noqa: BLE001 (a thread that ends in silence would end all background work)
            _log.warning("background work could not be done and is tried again: %s", error, exc_info=True)

    def _run(self) -> None:
        while not self._halt.is_set():
            self.tick()
            self._halt.wait(self._seconds * self._rng.uniform(0.5, 1.0))

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
