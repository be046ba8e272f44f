"""The cold archive to those who own it: SQL over it, and what is in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from engrain.archive.hot import cold
from engrain.archive.reading import ELSEWHERE
from engrain.errors import ArchiveUnavailable, InvalidField
from engrain.intake import validate
from engrain.model.report import TableInfo
from engrain.model.scope import Scope

if TYPE_CHECKING:
    import pyarrow as pa

    from engrain.archive.analyst import Progress
    from engrain.memory import Memory
    from engrain.model.item import Hit

STATEMENT = 100_000  # characters
SECONDS, MEGABYTES = (0.1, 86_400.0), (64, 1 << 20)
Parameters = Mapping[str, Any] | Sequence[Any] | None


class ColdArchive:
    """The archive of a home: ``memory.archive``."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def sql(
        self,
        statement: str,
        parameters: Parameters = None,
        *,
        seconds: float | None = None,
        megabytes: int | None = None,
        progress: Progress | None = None,
    ) -> pa.Table:
        """The rows of one SELECT over all agents of all tenants, as an Arrow table: ``.to_pylist()`` makes dicts of
        them. ``tables()`` tells what there is; ``parameters`` are those of ``?`` or ``$name``. It may run for
        ``seconds`` (``query_seconds``) and use ``megabytes`` (``query_megabytes``); ``progress(done, of)`` is told how
        many of the archive's files have been read. Raises QueryRefused for anything but a SELECT over these tables,
        QueryLimit when it needs more, ArchiveUnavailable when the archive cannot be reached."""
        self._memory._check_open()
        return asked(self._memory, None, statement, parameters, seconds, megabytes, progress)

    def compact(self, dry_run: bool = False) -> dict[str, int]:
        """Put the archive's files in order now, as the role ``compact`` does by itself: small ones become large ones,
        what counts no more is left out, what no reader needs (``vacuum_days``) is deleted. Counts: ``files`` that were
        rewritten, ``erased`` rows, ``vacuumed`` files. Raises an ArchiveError when it cannot be done now."""
        self._memory._check_open()
        validate.flag("dry_run", dry_run)
        keeper = self._memory.compactor
        if keeper is None and cold(self._memory.store):
            raise ArchiveUnavailable(ELSEWHERE)
        return {} if keeper is None else keeper.compact(dry=dry_run)

    def search(self, query: str, agent: str, tenant: str = "default", limit: int = 10) -> list[Hit]:
        """What ``agent.search_archive`` of this agent gives."""
        self._memory._check_open()
        scope = Scope(*(validate.text(name, value, validate.NAME_CHARACTERS)
                        for name, value in (("tenant", tenant), ("agent", agent))))  # fmt: skip
        asked = validate.text("query", query, validate.CONTENT_BYTES)
        limit = validate.whole("limit", limit, 1, 1000)
        return self._memory.recaller.recall(scope, asked, limit=limit, archived="only")

    def tables(self) -> list[TableInfo]:
        """The tables that SQL sees, with their columns."""
        from engrain.archive.views import views

        self._memory._check_open()
        return list(views())

    def stats(self) -> dict[str, Any]:
        """What is in the archive, as plain JSON values: of ``memories`` and ``experiences`` the rows that count, the
        files and their bytes, by month of archival, and the rows of each agent (the 100 with most); of the ``store``
        beside it how many memories it has, how many of them are archived and wait to be moved, and its bytes."""
        from engrain.archive.inventory import inventory

        self._memory._check_open()
        tables, found = self._memory.tables, self._memory.stats()
        held = found["memories"]
        waiting = held["archived"] - found["archive"]["memories"]  # of all that is archived, what is still in the store
        rows = held["active"] + held["superseded"] + waiting
        store = {"memories": rows, "waiting": waiting, "bytes": found["store"]["bytes"]}
        parts = inventory(tables, lambda text: self.sql(text).to_pylist())
        return {"location": tables.location if tables else None, **parts, "store": store}


def asked(
    memory: Memory,
    whose: tuple[str, str] | None,
    statement: str,
    parameters: Parameters,
    seconds: float | None,
    megabytes: int | None,
    progress: Progress | None = None,
) -> pa.Table:
    """What SQL says of everything, or of what one agent (tenant, agent) may see."""
    validate.text("statement", statement, STATEMENT)
    named = isinstance(parameters, Mapping) and all(isinstance(name, str) for name in parameters)
    if parameters is not None and not named and not isinstance(parameters, list | tuple):
        raise InvalidField(f"parameters must be a list, or a dict of names, not {validate.shown(parameters)}.")
    limits = {}
    for name, given, (least, most) in (
        ("seconds", seconds, SECONDS),
        ("megabytes", megabytes, MEGABYTES),
    ):
        usual = getattr(memory.config, f"query_{name}")
        limits[name] = usual if given is None else validate.number(name, given, least, most)
    memory.signals.flush()
    return memory.analyst.ask(statement, parameters, whose, limits["seconds"], int(limits["megabytes"]), progress)
