"""Packages with workers of their own, as an installer leaves them: modules, and a dist-info folder beside them."""

from __future__ import annotations

import textwrap
from pathlib import Path


def install(site: Path, plugin: str, code: str, attribute: str = "workers") -> None:
    """A package with one module, ``PLUGIN_workers``, and an entry point ``PLUGIN`` for one of its attributes."""
    site.mkdir(exist_ok=True)
    module = f"{plugin}_workers"
    (site / f"{module}.py").write_text(textwrap.dedent(code), encoding="utf-8")
    about = site / f"{module}-1.0.dist-info"
    about.mkdir(exist_ok=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n", encoding="utf-8")
    points = f"[engrain.workers]\n{plugin} = {module}:{attribute}\n"
    (about / "entry_points.txt").write_text(points, encoding="utf-8")
