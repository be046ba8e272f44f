"""Learning that is proven: every figure beside its naive and strong anchors, computed in the same run.

    python bench/learning.py                                # all sections, Markdown on stdout
    python bench/learning.py --section spibb --quick        # one of them, with few seeds
    python bench/learning.py --json learning.json

Data: the folder that ENGRAIN_DATA names (default ../shared/data); read there, never bundled. Further packages: the
extra ``bench``. Exit code 1 when a figure to reach is missed in a full run.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.learning_table import Table

SECTIONS = {
    "spibb": "bench.learning_spibb:run",  # offline: a gridworld with a trusted baseline policy
    "toytext": "bench.learning_toytext:run",  # offline: logs of a 40 %-random policy
    "selection": "bench.learning_selection:run",  # online: which solver for which instance
    "planning": "bench.learning_planning:run",  # offline: the speed of planning
    "digits": "bench.learning_ope:digits",  # off-policy evaluation: handwritten digits as a bandit
    "openbandit": "bench.learning_ope:openbandit",  # the same on a shop's own logs
    "gate": "bench.learning_ope:gate",  # how often what is no better passes, and what is better does
    "dream": "bench.learning_dream:run",  # online: homes that dream beside homes that do not
    "speed": "bench.learning_speed:run",  # a whole pass over an archive, beside a textbook replay
    "speed-10m": "bench.learning_speed:large",  # the same over ten millions: long, 5 GB of disk
    "calibration": "bench.learning_calibration:run",  # online: whether the intervals of advice hold the truth
    "drift": "bench.learning_drift:run",  # online: the best action changes half-way
    "abb": "bench.learning_abb:run",  # online: ordering the tests of CI cycles
    "retrieval": "bench.learning_retrieval:run",  # the most similar earlier task, by recall
}
"""By name: ``module:function``, loaded when it is asked for. The function takes ``quick`` (few seeds, for a look) and
gives its tables."""


def tables(section: str, quick: bool) -> Sequence[Table]:
    """What a section, told as ``module:function``, measures."""
    module, function = section.split(":")
    run: Callable[[bool], Sequence[Table]] = getattr(importlib.import_module(module), function)
    return run(quick)


def missed(table: Table) -> int:
    """How many figures of a table were to be reached and were not."""
    return sum(not (measured >= bound if least else measured <= bound) for _, measured, bound, least in table.checks)


def main(sections: Mapping[str, str] = SECTIONS, about: str | None = __doc__) -> int:
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--section", choices=sections, action="append", help="only this one; may be given again")
    parser.add_argument("--quick", action="store_true", help="few seeds: a look, not a figure")
    parser.add_argument("--json", type=Path, help="write the tables there, too")
    asked = parser.parse_args()
    told, wrong = {}, 0
    for name in asked.section or sections:
        began = time.perf_counter()
        found = tables(sections[name], asked.quick)
        print(f"## {name}\n")
        for table in found:
            print(table.text(), end="\n\n", flush=True)
        print(f"({time.perf_counter() - began:.0f} s{', quick' if asked.quick else ''})\n", flush=True)
        told[name] = [asdict(table) for table in found]
        wrong += sum(missed(table) for table in found)
    if asked.json:
        asked.json.write_text(json.dumps(told, indent=1, ensure_ascii=False), encoding="utf-8")
    return 1 if wrong and not asked.quick else 0


if __name__ == "__main__":
    raise SystemExit(main())
