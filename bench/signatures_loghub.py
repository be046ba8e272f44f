"""Log lines of eight systems, grouped by one configuration, against the events that people told apart.

LogHub-2k (Zhu et al. 2023, https://github.com/logpai/loghub): 2,000 lines a system; its notice allows research use with
citation, so it is read from ENGRAIN_DATA and never bundled. Grouping accuracy is the share of lines whose group holds
exactly the lines of their event; FGA the F1 of whole groups (template level); pair F1 that of pairs of lines. One
grouper for each system, and lines are fed one at a time; ids are resolved after the last.
"""

from __future__ import annotations

import csv
import hashlib
import logging
import random
import re
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Sequence

from bench.learning_table import DATA, Table
from engrain.fixes import Signer, masks

Ids = Sequence[Hashable]
FOLDER = DATA / "loghub"
ROUNDS = 5  # of which the median speed is told


def systems() -> list[str]:
    """The names of the systems that are there."""
    return sorted(path.name.split("_2k")[0] for path in FOLDER.glob("*_2k.log_structured.csv"))


def read(system: str, corrected: bool = False) -> tuple[list[str], list[str]]:
    """(lines, events) of a system; with the labels as corrected by Khan et al. (2022) on demand."""
    name = f"corrected/{system}_2k.log_structured_corrected.csv" if corrected else f"{system}_2k.log_structured.csv"
    with (FOLDER / name).open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [row["Content"] for row in rows], [row["EventId"] for row in rows]


def scores(truth: Ids, found: Ids) -> tuple[float, float, float]:
    """(grouping accuracy, FGA, pair F1)."""
    wanted, groups = _groups(truth), _groups(found)
    right = wanted & groups
    accuracy = sum(len(group) for group in right) / len(truth)
    both, told, true = (_pairs(Counter(one).values()) for one in (zip(truth, found, strict=True), found, truth))
    return accuracy, 2 * len(right) / (len(wanted) + len(groups)), 2 * both / (told + true) if told + true else 1.0


def _groups(ids: Ids) -> set[frozenset[int]]:
    groups: dict[Hashable, list[int]] = defaultdict(list)
    for at, one in enumerate(ids):
        groups[one].append(at)
    return {frozenset(group) for group in groups.values()}


def _pairs(sizes: Sequence[int]) -> float:
    return sum(size * (size - 1) / 2 for size in sizes)


def engrain(lines: Sequence[str]) -> Ids:
    """`Signer`, as it comes."""
    masks.mask_token.cache_clear()  # what it knows of another system's words must not make it faster
    masks.settle.cache_clear()
    signer = Signer()
    ids = [signer.add(line).id for line in lines]
    return [signer.resolve(one) for one in ids]


def regex_hash(lines: Sequence[str]) -> Ids:
    """The floor: words with a digit are masked, the rest is hashed."""

    def key(line: str) -> str:
        line = re.sub(r"0x[0-9a-fA-F]+|\b[0-9a-fA-F]{8,}\b|\S*\d\S*", "<*>", line)
        return hashlib.sha256(re.sub(r"(<\*>\W*)+", "<*>", line).encode()).hexdigest()

    return [key(line) for line in lines]


def drain(masked: bool) -> Callable[[Sequence[str]], Ids]:
    """Drain3 0.9 (He et al. 2017) with its defaults, or with the masks of its own example configuration."""
    from drain3 import TemplateMiner
    from drain3.masking import MaskingInstruction
    from drain3.template_miner_config import TemplateMinerConfig

    logging.getLogger("drain3").setLevel(logging.ERROR)
    edge, end = r"((?<=[^A-Za-z0-9])|^)", r"((?=[^A-Za-z0-9])|$)"
    values = [
        (r"(([0-9a-f]{2,}:){3,}([0-9a-f]{2,}))", "ID"),
        (r"(\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3})", "IP"),
        (r"([0-9a-f]{6,} ?){3,}", "SEQ"),
        (r"([0-9A-F]{4} ?){4,}", "SEQ"),
        (r"(0x[a-fA-F0-9]+)", "HEX"),
        (r"([\-\+]?\d+)", "NUM"),
    ]

    def group(lines: Sequence[str]) -> Ids:
        config = TemplateMinerConfig()
        config.profiling_enabled = False
        if masked:
            config.masking_instructions = [MaskingInstruction(edge + value + end, name) for value, name in values]
        miner = TemplateMiner(config=config)
        return [miner.add_log_message(line)["cluster_id"] for line in lines]

    return group


def measured(group: Callable[[Sequence[str]], Ids], corrected: bool = False, order: int | None = None) -> list[float]:
    """[accuracy of each system …, mean FGA, mean pair F1, lines a second of processor time]. ``order``: None as they
    come, -1 reversed, else a seed to shuffle by."""
    told, seconds, count = [], 0.0, 0
    for system in systems():
        lines, events = read(system, corrected)
        rows = list(zip(lines, events, strict=True))
        if order == -1:
            rows.reverse()
        elif order is not None:
            random.Random(order).shuffle(rows)
        began = time.process_time()
        ids = group([line for line, _ in rows])
        seconds += time.process_time() - began
        count += len(rows)
        told.append(scores([event for _, event in rows], ids))
    means = [statistics.mean(one[at] for one in told) for at in (1, 2)]
    return [*(one[0] for one in told), *means, count / seconds]


def run(quick: bool) -> Sequence[Table]:
    """Both kinds of labels, orders, and the anchors."""
    names, rounds = systems(), 1 if quick else ROUNDS
    rows, checks = [], []
    ways: list[tuple[str, Callable[[Sequence[str]], Ids], bool, int | None]] = [
        ("regex hash", regex_hash, False, None),
        ("drain3, defaults", drain(masked=False), False, None),
        ("drain3, masked", drain(masked=True), False, None),
        ("**engrain**", engrain, False, None),
        ("engrain, lines reversed", engrain, False, -1),
        *((f"engrain, shuffled ({seed})", engrain, False, seed) for seed in range(2)),
        ("drain3, masked; corrected labels", drain(masked=True), True, None),
        ("engrain; corrected labels", engrain, True, None),
    ]
    for name, group, corrected, order in ways:
        runs = [measured(group, corrected, order) for _ in range(rounds)]
        *each, fga, pairs, _ = runs[0]
        speed = statistics.median(one[-1] for one in runs)
        mean = statistics.mean(each)
        shown = [f"{mean:.3f}", *(f"{one:.3f}" for one in each), f"{fga:.3f}", f"{pairs:.3f}"]
        rows.append([name, *shown, f"{round(speed, -2):,.0f}"])
        if group is engrain and order is None and not corrected:
            checks = [
                ("mean grouping accuracy", mean, 0.92, True),
                ("worst grouping accuracy", min(each), 0.70, True),
                ("lines a second", speed, 30_000, True),
            ]
    note = f"Medians of {rounds}; lines a second of processor time, one thread, resolving included."
    columns = ["grouping accuracy", "mean", *names, "FGA", "pair F1", "lines/s"]
    return [Table("LogHub-2k, development sets, one configuration", columns, rows, note, checks)]
