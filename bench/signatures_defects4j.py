"""Traces of failing tests, grouped and looked up by one configuration, against the bugs behind them.

Defects4J (Just, Jalali and Ernst 2014, https://github.com/rjust/defects4j, MIT): the traces of the tests that show each
bug; read from ENGRAIN_DATA. Pair F1 is that of pairs of traces within a project, R@1 the share of traces whose most
alike other trace of the project is of the same bug, over the traces that have one.
"""

from __future__ import annotations

import gzip
import json
import random
import re
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any

import numpy as np

from bench.learning_table import DATA, Table
from engrain.fixes import Signer, likeness

Found = dict[str, tuple[int, int, int]]
"""By project: pairs that are right, pairs that were joined, pairs that belong together."""
FILE = DATA / "stacktraces" / "defects4j.jsonl.gz"
GRID = (0.43, 0.45, 0.47, 0.49, 0.51, 0.53, 0.55, 0.57)
TENFOLD = 10_000


def read() -> list[dict[str, Any]]:
    """The traces, as they were published."""
    with gzip.open(FILE, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def as_text(trace: dict[str, Any]) -> str:
    """A trace as a log tells it: the message and the calls, and no test's name or project."""
    return trace["message"] + "\n" + "".join(f"\tat {frame}\n" for frame in trace["frames"])


def pairs(traces: Sequence[dict[str, Any]], keys: Iterable[Hashable]) -> Found:
    """How pairs of traces within each project were told."""
    rows: dict[str, list[tuple[str, Hashable]]] = defaultdict(list)
    for trace, key in zip(traces, keys, strict=True):
        rows[trace["project"]].append((trace["bug"], key))
    told = {}
    for project, both in sorted(rows.items()):
        counts = (Counter(both), Counter(key for _, key in both), Counter(bug for bug, _ in both))
        right, joined, true = (sum(size * (size - 1) // 2 for size in count.values()) for count in counts)
        told[project] = right, joined, true
    return told


def f1(found: Found, projects: Iterable[str] | None = None) -> float:
    """Pair F1 of some projects together."""
    right, joined, true = (sum(found[one][at] for one in projects or found) for at in range(3))
    return 2 * right / max(1, joined + true)


def line(name: str, found: Found, first: float | None) -> list[str]:
    """A row of the table."""
    right, joined, true = (sum(one[at] for one in found.values()) for at in range(3))
    rest = [one for one in found if one != "Closure"]
    own = statistics.mean(f1(found, [one]) for one in found)
    shown = [f1(found), right / max(1, joined), right / true, own, f1(found, rest)]
    return [name, *(f"{one:.3f}" for one in shown), "" if first is None else f"{first:.3f}"]


def signed(problems: Sequence[Any], owners: Sequence[str]) -> list[str]:
    """The issue of each problem when all were added; a signer for each owner."""
    signers: dict[str, Signer] = defaultdict(Signer)
    raw = [signers[owner].add(problem).raw for problem, owner in zip(problems, owners, strict=True)]
    return [signers[owner].resolve(one) for one, owner in zip(raw, owners, strict=True)]


def first_by(traces: Sequence[dict[str, Any]], nearest: Callable[[list[int]], dict[int, int]]) -> float:
    """R@1. ``nearest``: of the traces of a project, each one's most alike other."""
    projects: dict[str, list[int]] = defaultdict(list)
    for at, trace in enumerate(traces):
        projects[trace["project"]].append(at)
    sizes = Counter(trace["bug"] for trace in traces)
    right = [
        traces[at]["bug"] == traces[other]["bug"]
        for rows in projects.values()
        for at, other in nearest(rows).items()
        if sizes[traces[at]["bug"]] > 1
    ]
    return statistics.mean(right)


def by_signer(problems: Sequence[Any]) -> Callable[[list[int]], dict[int, int]]:
    """The most alike other trace as a signer tells it."""

    def nearest(rows: list[int]) -> dict[int, int]:
        signer, holders = Signer(), defaultdict(list)
        for at in rows:
            holders[signer.add(problems[at]).raw].append(at)
        found = {}
        for at in rows:
            told = (other for raw, _ in signer.alike(problems[at], 3) for other in holders[raw] if other != at)
            found[at] = next(told, -1)
        return found

    return nearest


def by_words(traces: Sequence[dict[str, Any]]) -> Callable[[list[int]], dict[int, int]]:
    """The anchor: TF-IDF of frames, exception and message (scikit-learn)."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    def words(trace: dict[str, Any]) -> str:
        frames = [re.sub(r"\(.*", "", frame).replace(" ", "_") for frame in trace["frames_app"]]
        return " ".join([*frames, trace["exception"], *template(trace["message"]).split()])

    def nearest(rows: list[int]) -> dict[int, int]:
        tool = TfidfVectorizer(token_pattern=r"\S+", lowercase=False, sublinear_tf=True)
        matrix = tool.fit_transform([words(traces[at]) or "_" for at in rows])
        like = (matrix @ matrix.T).toarray()
        np.fill_diagonal(like, -1)
        return {at: rows[int(best)] for at, best in zip(rows, np.argmax(like, axis=1), strict=True)}

    return nearest


def template(message: str) -> str:
    """The anchor's mask."""
    return re.sub(r"(<\*>\W*)+", "<*>", re.sub(r"\".*?\"|'.*?'|<[^>]*>|0x[0-9a-f]+|\S*\d\S*", "<*>", message))[:200]


def top_call(trace: dict[str, Any]) -> str:
    """The anchor's innermost call that is no test's, or else the test's class."""
    owner = trace["test"].split("::")[0]
    calls = [re.sub(r"\(.*", "", frame) for frame in trace["frames_app"]]
    own = [one for one in calls if not one.startswith(owner) and "Test" not in one.split(".")[-2:][0]]
    return str(own[0] if own else owner)


def left_out(traces: Sequence[dict[str, Any]], owners: Sequence[str]) -> Found:
    """Each project grouped down to the likeness that is best for all the others."""
    kept, tries = likeness.JOIN, {}
    for join in GRID:
        likeness.JOIN = join
        tries[join] = pairs(traces, signed(traces, owners))
    likeness.JOIN = kept
    found = {}
    for project in tries[kept]:
        others = [one for one in tries[kept] if one != project]
        mean = {
            join: f1(told, others) + statistics.mean(f1(told, [one]) for one in others) for join, told in tries.items()
        }
        found[project] = tries[max(mean, key=mean.__getitem__)][project]
    return found


def speed(traces: Sequence[dict[str, Any]]) -> Table:
    """Adding, looking up and grouping ten thousand traces: those that are there, with other words in their names."""
    dice = random.Random(0)
    words = [
        f"{one}{two}" for one in ("Order", "Mail", "Rate", "Disk") for two in ("Loader", "Parser", "Queue", "Guard")
    ]
    many = []
    for _ in range(TENFOLD):
        trace, word = dict(dice.choice(traces)), dice.choice(words)
        trace |= {
            "test": trace["test"].replace("Test", f"{word}Test", 1),
            "message": f"{trace['message']} {word.lower()}",
        }
        many.append({key: value for key, value in trace.items() if key != "project"})
    signer = Signer()
    began = time.process_time()
    raw = [signer.add(trace).raw for trace in many]
    added = time.process_time()
    issues = len({signer.resolve(one) for one in raw})
    grouped = time.process_time()
    asked = []
    for trace in many[:200]:
        start = time.process_time()
        signer.alike(trace, 10)
        asked.append(time.process_time() - start)
    cells = [f"{TENFOLD / (added - began):,.0f}", f"{grouped - added:.1f}", f"{issues:,}"]
    cells.append(f"{1e3 * statistics.median(asked):.1f}")
    note = "10,000 traces made of these; seconds of processor time, one thread"
    return Table("Speed", ["added a second", "grouped, s", "issues", "most alike ten, ms (median)"], [cells], note)


def run(quick: bool) -> Sequence[Table]:
    """The section ``defects4j``."""
    traces = read()
    owners = [trace["project"] for trace in traces]
    keys: dict[str, Callable[[dict[str, Any]], str]] = {
        "exception": lambda trace: str(trace["exception"]),
        "exception, masked message": lambda trace: trace["exception"] + template(trace["message"]),
        "exception, innermost call outside tests": lambda trace: trace["exception"] + top_call(trace),
        "class of the test": lambda trace: str(trace["test"].split("::")[0]),
    }
    rows = [line(name, pairs(traces, map(key, traces)), None) for name, key in keys.items()]
    anchor = first_by(traces, by_words(traces))
    rows.append(["TF-IDF of frames, exception, message", *[""] * 5, f"{anchor:.3f}"])
    texts = [as_text(trace) for trace in traces]
    own, told = pairs(traces, signed(traces, owners)), pairs(traces, signed(texts, owners))
    first, first_told = first_by(traces, by_signer(traces)), first_by(traces, by_signer(texts))
    rows += [line("**engrain**, data", own, first), line("**engrain**, text", told, first_told)]
    rows.append(
        line("engrain, text, one signer for all projects", pairs(traces, signed(texts, ["all"] * len(texts))), None)
    )
    order = list(range(len(traces)))
    random.Random(1).shuffle(order)
    mixed = [traces[at] for at in order]
    rows.append(line("engrain, data, shuffled", pairs(mixed, signed(mixed, [owners[at] for at in order])), None))
    if not quick:
        rows.append(line("engrain, likeness chosen by the other projects", left_out(traces, owners), None))
    checks = [("pair F1, data", f1(own), 0.54, True), ("pair F1, text", f1(told), 0.54, True)]
    checks += [("R@1, data", first, 0.66, True), ("R@1, text", first_told, 0.66, True)]
    heads = ["", "pair F1", "precision", "recall", "mean of projects", "without Closure", "R@1"]
    note = f"{len(traces):,} traces of {len({one['bug'] for one in traces})} bugs in {len(set(owners))} projects."
    return [Table("Failing tests of Defects4J", heads, rows, note, checks), *([] if quick else [speed(traces)])]
