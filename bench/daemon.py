"""What a daemon costs when nothing is due, and whether many on one store run each role once.

    python bench/daemon.py                          # 60 s of idling, then ten daemons for a simulated week; on stdout
    python bench/daemon.py --seconds 10 --days 1 --daemons 3    # a quick look
    python bench/daemon.py --folder                 # on a folder instead of the PostgreSQL server that the tests start

Idle: `engrain daemon run` on a new home, 10 s after it has begun: its processor time, that of the processes it starts
included, in per cent of one core; its memory (RSS); how long it took to begin, and to end at SIGTERM.

Week: so many processes whose simulated clocks go on together by 15 minutes; at each step all of them look at once. An
interval of a role in which it was not run exactly once is counted as wrong.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests import children  # noqa: E402
from tests.fleet import live  # noqa: E402
from tests.postgres import Place, start  # noqa: E402

WARM = 10.0  # seconds before it is measured
MINUTES = 15


def idle(place: Place, seconds: float) -> dict[str, float]:
    """A daemon with nothing to do."""
    import psutil

    with place.open():
        pass
    begun = time.perf_counter()
    environ = {**os.environ, "ENGRAIN_EMBEDDER": "hash", "PYTHONPATH": children.PATH}
    process = subprocess.Popen(
        [sys.executable, "-m", "engrain", "daemon", "run", "--home", place.location],
        cwd=place.home.parent, env=environ, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    if not process.stdout.readline():
        sys.exit("the daemon did not begin")
    began = time.perf_counter() - begun
    watched = psutil.Process(process.pid)
    time.sleep(WARM)
    before, at = watched.cpu_times(), time.perf_counter()
    time.sleep(seconds)
    after, took = watched.cpu_times(), time.perf_counter() - at
    memory = watched.memory_info().rss
    asked = time.perf_counter()
    process.terminate()
    process.wait(30)
    spent = sum(after[:4]) - sum(before[:4])  # user and system, its own and its children's
    return {
        "began": began,
        "share": 100 * spent / took,
        "memory": memory / 2**20,
        "ended": time.perf_counter() - asked,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="of idling (60)")
    parser.add_argument("--daemons", type=int, default=10, help="on one store (10)")
    parser.add_argument("--days", type=float, default=7.0, help="that they live (7)")
    parser.add_argument("--folder", action="store_true", help="on a folder instead of a server")
    chosen = parser.parse_args()
    if importlib.util.find_spec("psutil") is None:
        sys.exit("psutil is not installed, which measures memory: make the development environment (make test).")
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}\n")
    with tempfile.TemporaryDirectory(prefix="engrain-daemon-") as scratch:
        server = None if chosen.folder else start(Path(scratch) / "server")
        try:
            print("| idle on | of a core | memory | begins in | ends in |\n| --- | ---: | ---: | ---: | ---: |")
            stores = ("a folder",) if server is None else ("a folder", "PostgreSQL")
            for name in stores:
                url = server.url(server.fresh()) if server and name == "PostgreSQL" else None
                found = idle(Place(Path(scratch) / name, url), chosen.seconds)
                cells = f"{found['share']:.2f} % | {found['memory']:.0f} MiB | {found['began']:.2f} s"
                print(f"| {name} | {cells} | {found['ended']:.2f} s |", flush=True)
            place = Place(Path(scratch) / "week", server.url(server.fresh()) if server else None)
            begun = time.perf_counter()
            intervals, wrong = live(place, chosen.daemons, chosen.days, MINUTES)
            took = time.perf_counter() - begun
            print(f"\n{chosen.daemons} daemons on {stores[-1]} for {chosen.days:g} simulated days ({took:.0f} s):")
            print(f"{intervals:,} intervals of roles, {wrong} of them with another number of runs than one.")
        finally:
            if server is not None:
                server.handle.cleanup()
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
