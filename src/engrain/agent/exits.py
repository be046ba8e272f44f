"""How an agent's memories leave and come back: export, import, and forgetting everything."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engrain.agent.base import Scoped
from engrain.errors import InvalidField
from engrain.intake import validate
from engrain.intake.validate import shown
from engrain.model.exchange import CONFLICTS, Exported, Imported
from engrain.upkeep import outside

if TYPE_CHECKING:
    from engrain.exchange.files import Found
    from engrain.exchange.outgoing import Export

Progress = Callable[[int, int], Any]
"""Is told how many items are done, of how many."""


class Exits(Scoped):
    """The verbs of export and import."""

    def export_to(
        self, path: str | os.PathLike[str], format: str | None = None, progress: Progress | None = None
    ) -> Exported:
        """Write all memories of this agent to a file: active, superseded and archived items with all that is known of
        them. Fixes, patterns and what was learned are not memories: ``export_fixes``, ``export_patterns`` and
        ``export_learning`` write them. ``format`` is json, jsonl or csv; left out, the suffix says it. The file gets
        its name when it is whole; one of that name is replaced. Raises InvalidField for another format, StoreError when
        it cannot be written."""
        from engrain.exchange.formats import export_format

        self._memory._check_open()
        memory = self._memory
        target = outside(memory.store, memory.home, memory.config, path)
        return self._export().save(target, export_format(target, format), progress)

    def export_data(self, format: str = "jsonl") -> Iterator[bytes]:
        """The same as pieces of a stream."""
        from engrain.exchange.formats import export_format

        self._memory._check_open()
        pieces = self._export().text(export_format(Path(), format))
        return (piece.encode() for piece in pieces)

    def import_from(
        self,
        path: str | os.PathLike[str],
        format: str | None = None,
        on_conflict: str = "keep-newer",
        partial: bool = False,
        progress: Progress | None = None,
    ) -> Imported:
        """Take in what an export wrote, or another memory: json, jsonl, csv, mem0, mcp-memory, claude-code (a file or a
        folder of transcripts), markdown (a folder of notes); left out, the format is told by what is there.

        ``on_conflict`` says what becomes of a row that meets an item: skip, overwrite, keep-newer or merge. Every row
        is checked first: when one is refused, InvalidInput names it and nothing is changed, unless ``partial`` leaves
        such rows out. An import that was interrupted may be run again."""
        from engrain.exchange.formats import import_format, rows_of

        self._memory._check_open()
        return self._import(rows_of(Path(path), import_format(format)), on_conflict, partial, progress)

    def import_data(
        self, pieces: Iterable[bytes], format: str | None = None, on_conflict: str = "keep-newer", partial: bool = False
    ) -> Imported:
        """The same from pieces of a stream, of any format that is one file. They are kept in a temporary file, because
        every row is checked before the first is stored."""
        from engrain.exchange.formats import READERS, import_format, told_by

        self._memory._check_open()
        with tempfile.TemporaryFile() as file:
            for piece in pieces:
                file.write(piece)
            file.seek(0)
            read = READERS.get(import_format(format) or told_by("the stream", file.read(1 << 16)))
            if read is None:
                raise InvalidField("markdown is imported from a folder of notes.")

            def rows() -> Iterator[Found]:
                file.seek(0)
                return read(file)

            return self._import(rows, on_conflict, partial, None)

    def _export(self) -> Export:
        from engrain.exchange.outgoing import Export

        self._memory.signals.flush()
        return Export(self._memory.store, self._memory.world, self.scope, self._memory.tiers)

    def _import(
        self, rows: Callable[[], Iterable[Found]], policy: str, partial: bool, progress: Progress | None
    ) -> Imported:
        from engrain.exchange.incoming import Import

        if policy not in CONFLICTS:
            raise InvalidField(f"on_conflict must be one of {', '.join(CONFLICTS)}, not {shown(policy)}.")
        validate.flag("partial", partial)
        parts = self._memory
        parts.signals.flush()
        work = Import(parts.store, parts.world, self.scope, parts.writer, parts.index, parts.kinds, parts.tiers)
        return work.run(rows, policy, partial=partial, progress=progress)
