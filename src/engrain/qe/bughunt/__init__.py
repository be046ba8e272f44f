"""The demo: an agent learns to find bugs in the standard library. Nothing in it is precomputed."""

from __future__ import annotations

import json as as_json
import sys
from importlib.util import find_spec
from pathlib import Path

HOME, TASKS = Path("engrain-demo"), 600


def main(
    home: Path | None = None, seed: int = 0, tasks: int = TASKS, picture: Path | None = None, json: bool = False
) -> int:
    """Run the demo in a new `home` (./engrain-demo), which is left behind to look around in, with the picture in it.

    Answers the exit code: 0, or 1 when an acknowledged write was lost or doubled or the canary failed. Raises
    ConfigError when the home holds something already.
    """
    from rich.console import Console

    from engrain.errors import ConfigError
    from engrain.qe.bughunt import picture as drawing
    from engrain.qe.bughunt import report, run

    place = free_home(HOME) if home is None else home
    if place.exists() and any(place.iterdir()):
        raise ConfigError(f"{place} is not empty; the demo wants a new folder: engrain demo --home ANOTHER.")
    if sys.platform == "win32":
        raise ConfigError("The demo limits and kills processes as only Linux and macOS can; run it there or in WSL.")
    if find_spec("hypothesis") is None:
        raise ConfigError("One of the strategies is Hypothesis, which is not installed: pip install 'engrain[demo]'.")
    if tasks < 30:
        raise ConfigError(f"{tasks} tasks are too few to learn from; take 30 or more.")
    console = Console(stderr=json)
    drawn = picture or place / "demo.svg"
    with report.progress(console) as step:
        result = run.experiment(run.survey(step), place, seed, tasks, step)
    facts = report.inspect(result, place)
    drawn.write_text(drawing.draw(result), encoding="utf-8")
    report.show(console, result, facts, place, drawn)
    if json:
        print(as_json.dumps(facts | {"home": str(place), "picture": str(drawn)}))  # noqa: T201 - the answer
    sound = not (result.missing or result.doubled) and all(each["ok"] for each in facts["canary"])
    return 0 if sound else 1


def free_home(wanted: Path) -> Path:
    """`wanted`, or with the first free number after it: an earlier run is never overwritten."""
    number, place = 2, wanted
    while place.exists():
        number, place = number + 1, wanted.with_name(f"{wanted.name}-{number}")
    return place
