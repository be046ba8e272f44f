"""What a scope sees of issues, kept by a process: its signatures by name, words and vectors, caught up by the change
sequence when another process wrote."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from engrain.fixes.names import Named, Names
from engrain.model.fix import Problem
from engrain.model.scope import Scope
from engrain.store.port import Row, Store
from engrain.store.rows import INDEX

SHARED = "fixes"  # the scope that changes when something is told that others may see
T = TypeVar("T")
KEPT = 10_000  # things that a book keeps while nothing changes
MOST = 64  # scopes that a process keeps
SPLIT, MERGE = "split", "merge"


def own_scope(agent: str) -> str:
    """The name of the change sequence of an agent's own fixes."""
    return f"fixes:{agent}"


class Texts(Protocol):
    """Texts found by words and vectors (``recall.loose``)."""

    def put(self, rows: Sequence[tuple[Any, ...]], /) -> None: ...
    def alike(self, text: str, limit: int, /) -> list[tuple[str, float]]: ...


@dataclass(slots=True)
class Book:
    """The issues that one scope sees. ``titles``: (kind, title) by raw id; ``groups``: the raw ids of an issue."""

    texts: Texts
    names: Names = field(default_factory=Names)
    titles: dict[str, tuple[str, str]] = field(default_factory=dict)
    seqs: tuple[int, int] = (0, 0)
    purges: tuple[int, int] = (0, 0)
    mates: tuple[str, ...] = ()
    edits: set[str] = field(default_factory=set)
    _kept: dict[Hashable, Any] = field(default_factory=dict)
    _groups: dict[str, tuple[str, ...]] | None = None

    def name(self, problem: Problem) -> Named:
        """The signature of a problem that may be new."""
        return self.names.name(problem)

    def kept(self, key: Hashable, make: Callable[[], T]) -> T:
        """What was made under a key, if nothing that this scope sees has changed since; else it is made now."""
        if key not in self._kept:
            if len(self._kept) >= KEPT:
                self._kept.clear()
            self._kept[key] = make()
        found: T = self._kept[key]
        return found

    def resolve(self, raw: str) -> str:
        """The id of a signature's issue by now; what is not known is its own."""
        return self.names.resolve(raw) if raw in self.titles else raw

    def group(self, id_: str) -> tuple[str, ...]:
        """All raw ids of an issue, given by its id or any of these; empty when it is not known."""
        if self._groups is None:
            found: dict[str, list[str]] = {}
            for raw in self.titles:
                found.setdefault(self.names.resolve(raw), []).append(raw)
            self._groups = {one: tuple(sorted(raws)) for one, raws in found.items()}
        return self._groups.get(self.resolve(id_), ())

    def forget(self) -> None:
        """Something has changed: nothing that was kept holds."""
        self._kept.clear()

    @property
    def issues(self) -> int:
        """How many issues there are."""
        self.group("")
        return len(self._groups or ())

    def take(self, rows: Sequence[Row]) -> None:
        """Rows of signatures; those that are known already are passed over."""
        fresh = []
        for row in rows:
            if row["id"] in self.titles:
                continue
            self.titles[row["id"]] = row["kind"], row["title"]
            self.names.know(row["id"], row["kind"], row["scope"], row["text"])
            fresh.append((row["id"], *(row[name] for name in INDEX)))
        if fresh:
            self._groups = None
            self.texts.put(fresh)

    def edit(self, rows: Sequence[Row]) -> None:
        """What a person put together or took apart."""
        for row in rows:
            there = row["signature"] in self.titles and (row["other"] is None or row["other"] in self.titles)
            if row["undone_at"] is None and there and row["id"] not in self.edits:
                self.edits.add(row["id"])
                if row["kind"] == MERGE:
                    self.names.merge(row["signature"], row["other"])
                else:
                    self.names.split(row["signature"])
        self._groups = None


class _Kept:
    """A scope's book and its lock."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.book: Book | None = None


class Books:
    """The books of a process, each loaded on first use. ``texts`` makes an empty index."""

    def __init__(self, store: Store, texts: Callable[[], Texts]) -> None:
        self._store, self._texts = store, texts
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, str], _Kept] = OrderedDict()

    @contextmanager
    def of(self, scope: Scope) -> Iterator[Book]:
        """The book of a scope as the store has it now; nobody else uses it meanwhile."""
        key = scope.tenant, scope.agent
        with self._lock:
            kept = self._kept.setdefault(key, _Kept())
            self._kept.move_to_end(key)
            while len(self._kept) > MOST:
                self._kept.popitem(last=False)
        with kept.lock:
            try:
                kept.book = book = self._caught_up(scope, kept.book)
            except BaseException:
                kept.book = None
                raise
            yield book

    def _caught_up(self, scope: Scope, book: Book | None) -> Book:
        own = own_scope(scope.agent)
        base = {"tenant": scope.tenant, "agent": scope.agent}
        rows = self._store.read("scope_states", {"tenant": scope.tenant, "names": [own, SHARED]})
        states = {row["name"]: (int(row["seq"]), int(row["purges"])) for row in rows}
        (seq, purge), (shared, shared_purge) = states.get(own, (0, 0)), states.get(SHARED, (0, 0))
        mates = tuple(sorted(row["name"] for row in self._store.read("agent_team", base))) if shared else ()
        purges = (purge, shared_purge)
        if book is None or book.purges != purges or book.mates != mates:
            book = Book(self._texts(), purges=purges, mates=mates)
        if book.seqs != (seq, shared):
            if seq > book.seqs[0]:
                book.take(self._store.read("signature_changes", {**base, "seq": book.seqs[0]}))
            if shared > book.seqs[1]:
                book.take(self._store.read("signature_shared", {**base, "seq": book.seqs[1]}))
            book.edit(self._store.read("edit_list", base))
            book.seqs = seq, shared
            book.forget()
        return book
