"""The port of the archive: where memories lie that are remembered no more but can be brought back. It has two tiers:
the rows of the hot store that wait to leave it, and the cold tables."""

from __future__ import annotations

import builtins
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol

from engrain.model.life import Old
from engrain.model.scope import Scope
from engrain.store.port import Row, Transaction

Kind = Literal["memories", "experiences"]
KINDS: tuple[Kind, ...] = ("memories", "experiences")
"""What has a table of its own among the cold ones."""

Put = tuple[str, str, str, int | None, int | None]
"""(id, agent, reason, seq, shared_seq) of an item on its way in: the numbers tell other processes; None where they need
not hear of it."""


class Asked(NamedTuple):
    """Which of an agent's archived items: told (or happened) from ``since`` inclusive to ``until`` exclusive, archived
    before ``before``, (archived_at, id) of the last that was seen. Times in µs; None: any."""

    reason: str | None = None
    since: int | None = None
    until: int | None = None
    kinds: tuple[str, ...] | None = None
    before: tuple[int, str] | None = None


Left = Literal["nothing", "moving", "words"]
"""What files have of what was forgotten: perhaps soon, as rows are on their way into them, or words already."""


class Cold(Row, Protocol):
    """A row of ``find`` from the cold tables; it has its ``place`` there, too."""

    def stored(self) -> dict[str, Any]:
        """The columns of ``{stored}`` as they were told, and ``echoes``: a list of ``session`` and ``at`` (µs)."""
        ...


class Sought(NamedTuple):
    """The cold rows of some items, by id. ``number`` is the last batch that was looked at: see ``moved``."""

    asked: frozenset[str]
    number: int
    rows: Mapping[str, Cold]


class Archive(Protocol):
    """What the archive does. Writes belong to a transaction of the hot store, so that an item is in the one tier or in
    the other, or in none, whatever happens in between. The cold tables are read before such a transaction."""

    def put(self, tx: Transaction, tenant: str, items: Sequence[Put], now: int) -> None:
        """Archive items whose rows are locked."""
        ...

    def find(self, scope: Scope, limit: int, asked: Asked) -> builtins.list[Row]:
        """``{item}, echoes, fingerprint, seq, shared_seq`` of an agent's archived items, the latest first."""
        ...

    def many(self, scope: Scope, ids: Collection[str]) -> builtins.list[Row]:
        """The same of some ids, in no order; what is not archived is left out."""
        ...

    def thaw(self, tx: Transaction, scope: Scope, row: Row, now: int) -> bool:
        """Put a row of ``find`` or ``many`` into the hot store, still archived, if it was not there; False when it is
        in the cold tables no more."""
        ...

    def take_back(self, tx: Transaction, scope: Scope, id_: str, row: Mapping[str, Any]) -> bool:
        """Make it what ``row`` says (the parameters of ``memory_take_back``); False when it is not here any more."""
        ...

    def old(self, scopes: Sequence[Scope], before: int, now: int) -> Iterator[tuple[Scope, builtins.list[Old]]]:
        """What of agents' was archived at ``before`` (µs) or earlier, the longest ago first."""
        ...

    def gone(self, tx: Transaction, tenant: str, places: Sequence[int]) -> set[int]:
        """Which places of the cold tables count no more."""
        ...

    def drop(self, tx: Transaction, tenant: str, items: Sequence[Old], now: int) -> None:
        """Delete for good; what is cold counts no more, and is erased by ``erase``."""
        ...

    def seek(self, scope: Scope, ids: Collection[str], also: tuple[str | None, int | None] | None = None) -> Sought:
        """The cold rows of these ids and of what goes with them; ``also`` all of a kind, from before a moment (µs)."""
        ...

    def moved(self, tx: Transaction, sought: Sought) -> bool:
        """Whether more has gone to the cold tables since."""
        ...

    def companions(self, tx: Transaction, scope: Scope, ids: Sequence[str], sought: Sought) -> set[str]:
        """What is forgotten with these: older versions in the cold tables, and what promotion made of cold items."""
        ...

    def forget(
        self, tx: Transaction, scope: Scope, ids: Sequence[str], sought: Sought, now: int
    ) -> tuple[builtins.list[str], Left]:
        """Cold copies of these count no more: the ids of those that did until now, and what files have of them. To be
        called while the store still has them."""
        ...

    def forget_all(self, scope: Scope, now: int) -> tuple[int, Left]:
        """Everything of an agent, its experiences too, in transactions of its own: how many rows counted until now, and
        what files have of it."""
        ...

    def number(self) -> int:
        """That of the last batch of memories that lies in the cold tables."""
        ...

    def holders(self, ids: Collection[str]) -> dict[str, tuple[str, str]]:
        """(tenant, agent) of whose these are in the cold tables, whoever asks: ids are unique in a home."""
        ...

    def leaving(self, scope: Scope, after: int = 0) -> Iterator[builtins.list[Cold]]:
        """An agent's cold rows of batches after a number, in pieces, for an export."""
        ...

    def erase(self, left: Left) -> None:
        """Delete from the files what counts no more. Raises an ArchiveError when that cannot be done now; it is hidden
        already, and the role ``compact`` erases it later. What is ``moving`` is erased by whoever moves it."""
        ...
