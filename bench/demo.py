"""The demo over several seeds: kill rates in a Markdown table. `python bench/demo.py --seeds 5 --tasks 600`"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import time
from pathlib import Path
from statistics import fmean, stdev

from rich.console import Console

from engrain.qe.bughunt import TASKS, report, run

FIXED = "best fixed strategy"


def general(rates: dict[str, float]) -> dict[str, float]:
    """Rates by row; the best fixed strategy differs from seed to seed, its row does not."""
    return {(FIXED if name.startswith(FIXED) else name): rate for name, rate in rates.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=0, help="0 to 4 were seen while the demo was made")
    parser.add_argument("--tasks", type=int, default=TASKS)
    options = parser.parse_args()
    whole: list[dict[str, float]] = []
    last: list[dict[str, float]] = []
    seconds: list[float] = []
    lost = doubled = 0
    with report.progress(Console(stderr=True)) as step:
        functions = run.survey(step)
    for seed in range(options.first_seed, options.first_seed + options.seeds):
        started = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder, report.progress(Console(stderr=True)) as step:
            result = run.experiment(functions, Path(folder) / "home", seed, options.tasks, step)
        seconds.append(time.perf_counter() - started)
        whole.append(general(result.rates()))
        last.append(general(result.rates(result.last_third)))
        lost, doubled = lost + result.missing, doubled + result.doubled
        print(f"seed {seed}: {last[-1]}", file=sys.stderr)
    last_seed = options.first_seed + options.seeds - 1
    print(f"Seeds {options.first_seed} to {last_seed} × {options.tasks} tasks, {len(functions)} functions; Python "
          f"{platform.python_version()}, {os.cpu_count()} cores; {fmean(seconds):.0f} s a seed after the survey; "
          f"{lost} acknowledged writes lost, {doubled} doubled.\n")  # fmt: skip
    print("| share of faults found | whole run | last third | ± over seeds | against random choice |")
    print("|---|---|---|---|---|")
    base = fmean(rates["random choice"] for rates in last)
    for name in last[0]:
        late = [rates[name] for rates in last]
        spread = stdev(late) if len(late) > 1 else 0.0
        every = fmean(rates[name] for rates in whole)
        print(f"| {name} | {every:.3f} | {fmean(late):.3f} | {spread:.3f} | ×{fmean(late) / base:.2f} |")


if __name__ == "__main__":
    main()
