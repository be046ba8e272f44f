"""The cold archive to those who own it: SQL over it, and what is in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from engrain.errors import InvalidField
from engrain.intake import validate

if TYPE_CHECKING:
    import pyarrow as pa

    from engrain.archive.analyst import Progress
    from engrain.archive.views import View
    from engrain.home import Home

SECONDS, MEGABYTES = (0.1, 86_400.0), (64, 1 << 20)
Parameters = Mapping[str, Any] | Sequence[Any] | None


class ColdArchive:
    """The archive of a home: ``memory.archive``."""

    def __init__(self, memory: Home) -> None:
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

    def tables(self) -> tuple[View, ...]:
        """The tables that SQL sees, with their columns."""
        from engrain.archive.views import views

        self._memory._check_open()
        return views()


def asked(
    memory: Home,
    whose: tuple[str, str] | None,
    statement: str,
    parameters: Parameters,
    seconds: float | None,
    megabytes: int | None,
    progress: Progress | None = None,
) -> pa.Table:
    """What SQL says of everything, or of what one agent (tenant, agent) may see."""
    if not isinstance(statement, str) or not statement.strip():
        raise InvalidField("statement must be SQL, as text.")
    limits = {}
    for name, given, (least, most) in (
        ("seconds", seconds, SECONDS),
        ("megabytes", megabytes, MEGABYTES),
    ):
        usual = getattr(memory.config, f"query_{name}")
        limits[name] = usual if given is None else validate.number(name, given, least, most)
    memory.signals.flush()
    return memory.analyst.ask(statement, parameters, whose, limits["seconds"], int(limits["megabytes"]), progress)
