"""Which problems are one issue: signatures beside their anchors, computed in the same run.

    python bench/signatures.py                       # all sections, Markdown on stdout
    python bench/signatures.py --section loghub

Data: the folder that ENGRAIN_DATA names (default ../shared/data); read there, never bundled. Further packages: the
extra ``bench``. Exit code 1 when a figure to reach is missed.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.learning import main

SECTIONS = {
    "loghub": "bench.signatures_loghub:run",  # lines of eight systems, against the events that people told apart
    "defects4j": "bench.signatures_defects4j:run",  # traces of failing tests, against the bugs behind them
}
"""By name: ``module:function``, as in bench/learning.py."""

if __name__ == "__main__":
    raise SystemExit(main(SECTIONS, __doc__))
