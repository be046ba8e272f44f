"""What is in the archive, in numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from engrain.archive.views import COLD

if TYPE_CHECKING:
    from engrain.archive.tables import Tables

AGENTS = 100  # that are told


def inventory(tables: Tables | None, ask: Callable[[str], Sequence[Mapping[str, Any]]]) -> dict[str, dict[str, Any]]:
    """Rows, files and bytes of each table, by month and by agent; ``ask`` answers SQL."""
    found: dict[str, dict[str, Any]] = {}
    for name, kind in COLD.items():
        files, size, months = 0, 0, Counter[str]()
        table = tables.table(kind) if tables and tables.standing(kind).closed else None
        if tables is not None and table is not None:
            for one in tables.files(kind, table):
                files, size = files + 1, size + one["size_bytes"]
                months[f"{one['partition.year']}-{int(one['partition.month']):02d}"] += one["size_bytes"]
        filed = ask(f"select year, month, count(*) as n from {name} group by all order by all")  # noqa: S608 (of ours)
        text = f"select tenant, agent, count(*) as n from {name} group by all order by n desc, tenant, agent limit "  # noqa: S608
        by_month = {f"{one['year']}-{one['month']:02d}": one["n"] for one in filed}
        rows = sum(by_month.values())
        found[kind] = {
            "rows": rows,
            "files": files,
            "bytes": size,
            "bytes_per_row": round(size / rows, 1) if rows else None,
            "months": [
                {"month": month, "rows": by_month.get(month, 0), "bytes": months[month]}
                for month in sorted({*by_month, *months})
            ],
            "agents": [
                {"tenant": one["tenant"], "agent": one["agent"], "rows": one["n"]} for one in ask(text + str(AGENTS))
            ],
        }
    return found
