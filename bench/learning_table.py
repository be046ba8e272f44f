"""What a section of bench/learning.py or signatures.py gives: tables in which every line stands beside its anchors."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

DATA = Path(os.environ.get("ENGRAIN_DATA", Path(__file__).parents[2] / "shared" / "data"))


@dataclass(frozen=True)
class Table:
    """``rows`` of cells as they are shown, ``columns`` their heads; ``note`` says how to read it. ``checks`` are the
    figures to reach: name → (measured, bound, whether the bound is the least that is good)."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""
    checks: Sequence[tuple[str, float, float, bool]] = ()

    def text(self) -> str:
        """As Markdown."""
        lines = [f"### {self.title}", "", *([self.note, ""] if self.note else [])]
        lines += ["| " + " | ".join(self.columns) + " |", "|" + "---|" * len(self.columns)]
        lines += ["| " + " | ".join(row) + " |" for row in self.rows]
        if self.checks:
            lines.append("")
        for name, measured, bound, least in self.checks:
            met = measured >= bound if least else measured <= bound
            lines.append(f"- {'met' if met else 'MISSED'}: {name} {measured:.4g} {'≥' if least else '≤'} {bound:.4g}")
        return "\n".join(lines)
