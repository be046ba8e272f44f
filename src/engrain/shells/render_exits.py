"""What is shown after an export and an import."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from engrain.model.exchange import Exported, Imported
from engrain.model.report import counted
from engrain.shells.screen import hanging, line


def _exported(value: Exported, now: datetime) -> None:
    told = counted(value.active + value.superseded + value.archived, "memory", "memories")
    line(("exported ", "green"), (told, "bold"), (f" to {value.path}", ""))
    line((f"active {value.active:,}, superseded {value.superseded:,}, archived {value.archived:,}", "dim"))
    line(("not in it: fixes, patterns, what was learned (engrain fixes|patterns|learn export)", "dim"))


def _imported(value: Imported, now: datetime) -> None:
    names = ("imported", "skipped", "overwritten", "merged", "refused")
    line((", ".join(f"{name} {getattr(value, name):,}" for name in names), "green"))
    for one in value.bad:
        hanging(4, (f"{one.where}: ", "bold"), (one.reason, "yellow"))


SCREENS: Mapping[str, Callable[[Any, datetime], None]] = {"export": _exported, "import": _imported}
