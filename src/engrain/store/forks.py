"""What a process must do before it forks, so that its child can use the same store."""

from __future__ import annotations

import os
import threading
import weakref
from typing import Protocol


class Stilled(Protocol):
    """A store that can be brought to rest: ``still`` before a fork, ``resume`` after it, in parent and child."""

    def still(self) -> None: ...

    def resume(self) -> None: ...


_STORES: weakref.WeakSet[Stilled] = weakref.WeakSet()
_LOCK = threading.RLock()  # held while a process forks: no store is made meanwhile, and one thread forks at a time


def watch(store: Stilled) -> None:
    """From now on, for as long as the store lives, it rests while this process forks."""
    with _LOCK:
        _STORES.add(store)


def _before() -> None:
    _LOCK.acquire()
    for store in list(_STORES):
        store.still()


def _after() -> None:
    """In parent and child: the thread that forked is the one that holds the lock, on both sides."""
    for store in list(_STORES):
        store.resume()
    _LOCK.release()


if hasattr(os, "register_at_fork"):  # there are no forks on Windows
    os.register_at_fork(before=_before, after_in_parent=_after, after_in_child=_after)
