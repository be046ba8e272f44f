"""Which forgetting policy keeps what will be asked for: a simulated year of agents, and LoCoMo.

    python -m bench.forgetting                 both parts
    python -m bench.forgetting --only year     the simulated year alone, which needs no data
    python -m bench.forgetting --seeds 2       fewer seeds (years, and splits of LoCoMo's questions)

The year. Each of 20 agents is told 400 items over 270 days. What is used later follows from what an item is: *passing*
(used for some days), *burst* (a project of a week, up to four times), *seasonal* (monthly or quarterly), *lasting* (all
the time, at rates by Zipf's law). Importance is the agent's guess of it, wrong by a deviation of 1.5; reads at random
and a vote on three uses of ten are added. On day 270 each policy ranks all items and the best 25, 50 or 75 % are kept.
Measure: the share of the genuine uses of days 270 to 365 whose item was kept. Then each policy runs with its default
rules day by day over the year: what it has archived at the end, and the share of uses that came too late.

LoCoMo. Every turn is told at its time. Half of a conversation's questions, drawn at random, are asked while it lasts,
each at a random moment after its evidence, and are a helpful use of its evidence. A month after the end the turns are
ranked, the others forgotten, and the other half is asked. Measure: recall@10 of turns, as bench/recall.py has it.
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

if not __package__:  # started by its path: the project's root is not yet on the path
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import engrain
from bench.sets import DATA, FILES, Conversation, Question, Told, digest, locomo
from engrain.lifecycle.policies import POLICIES, least_idle
from engrain.lifecycle.rules import Act, forgets
from engrain.model.fading import BOOST, BOOST_EVERY, CAP, DAY
from engrain.model.life import Life, Rules
from engrain.testing import SimulatedWorld
from engrain.world import to_micros

Ranking = Callable[[Life, int, random.Random], float]
KEPT = (0.25, 0.5, 0.75)
ITEMS, CUT, END = 400, 270, 365
SHARES = {"passing": 0.45, "burst": 0.2, "seasonal": 0.15, "lasting": 0.2}


def utility_before(life: Life, now: int, _: random.Random) -> float:
    """The formula of seed 004 before it was mended: for comparison."""
    votes = (life.helpful > life.unhelpful) - (life.helpful < life.unhelpful)
    return 0.4 * math.log1p(life.uses) + 0.4 / ((now - life.told_at) / DAY + 1.0) + 0.2 * votes


def of_policy(name: str) -> Ranking:
    rules = Rules(policy=name)
    return lambda life, now, _: POLICIES[name].score(life, now, rules)


RANKINGS: dict[str, Ranking] = {
    "random": lambda life, now, rng: rng.random(),
    "newest": lambda life, now, rng: life.told_at,
    "last used": lambda life, now, rng: life.used_at,
    "most used": lambda life, now, rng: life.uses + rng.random(),
    "utility, not mended": utility_before,
    **{name: of_policy(name) for name in POLICIES},
}


def best(lives: Sequence[Life], ranking: Ranking, now: int, rng: random.Random) -> list[str]:
    """Ids, most worth keeping first; ties at random."""
    scored = [(ranking(life, now, rng), rng.random(), life.id) for life in lives]
    return [id_ for _, _, id_ in sorted(scored, reverse=True)]


def used(life: Life, at: int, helpful: bool | None = None) -> Life:
    """As the store writes a use down: statements/signals.sql."""
    if at - life.weighed_at >= BOOST_EVERY:
        life = life._replace(importance=min(CAP, life.importance_at(at) + BOOST), weighed_at=at)
    return life._replace(
        used_at=at, uses=life.uses + (helpful is not False), helpful=life.helpful + (helpful is True),
        unhelpful=life.unhelpful + (helpful is False),
    )  # fmt: skip


def new(id_: str, told: int, importance: float = 5.0) -> Life:
    return Life(id_, "agent", "bench", "fact", "active", importance, importance, told, told, told, told)


@dataclass
class Item:
    """An item of the year: as told, and its uses as (µs, vote, whether it is genuine)."""

    what: str
    life: Life
    uses: list[tuple[int, bool | None, bool]] = field(default_factory=list)

    def at(self, now: int) -> Life:
        """What the store knows at ``now``."""
        life = self.life
        for moment, vote, _ in self.uses:
            if moment <= now:
                life = used(life, moment, vote)
        return life


def moments(what: str, told: float, rank: int, rng: random.Random) -> list[float]:
    """The days on which one item is really needed."""
    if what == "passing":
        return [told + rng.expovariate(1 / 5) for _ in range(rng.randint(0, 4))]
    if what == "burst":
        starts = [told, *(rng.uniform(told, END) for _ in range(rng.randint(0, 3)))]
        return [start + rng.uniform(0, 7) for start in starts for _ in range(rng.randint(3, 8))]
    if what == "seasonal":
        every = rng.choice([30.0, 91.0])
        times = range(1, int((END - told) / every) + 1)
        return [told + every * n + rng.gauss(0, 2) for n in times for _ in range(rng.randint(1, 2))]
    mean = 12.0 * rank**0.8  # days between two uses
    days, at = [], told
    while (at := at + rng.expovariate(1 / mean)) < END:
        days.append(at)
    return days


def year(seed: int, agents: int) -> list[list[Item]]:
    """The items of each agent with all their uses."""
    rng = random.Random(seed)
    told_all = []
    for _ in range(agents):
        items = []
        for number in range(ITEMS):
            what = rng.choices(list(SHARES), list(SHARES.values()))[0]
            told = rng.uniform(0, CUT)
            days = moments(what, told, rng.randint(1, 50), rng)
            worth = math.log2(1 + len(days) * END / (END - told)) if what != "passing" else 1.0
            guess = min(10.0, max(1.0, float(round(3.0 + worth + rng.gauss(0, 1.5)))))
            wrong = [rng.uniform(told, END) for _ in range(rng.choices([0, 1, 2], [0.6, 0.3, 0.1])[0])]
            uses = [(day, (rng.random() < 0.85) if rng.random() < 0.3 else None, True) for day in days]
            uses += [(day, False if rng.random() < 0.15 else None, False) for day in wrong]
            item = Item(what, new(str(number), round(told * DAY), guess))
            item.uses = sorted(
                ((round(day * DAY), vote, real) for day, vote, real in uses if told <= day < END),
                key=lambda use: use[0],
            )
            items.append(item)
        told_all.append(items)
    return told_all


def kept_uses(agents: list[list[Item]], ranking: Ranking, rng: random.Random) -> dict[tuple[str, float], float]:
    """(what, share kept) -> the share of later genuine uses, in per cent, whose item was kept; ``all`` of them."""
    now = CUT * DAY
    asked: dict[str, int] = {}
    found: dict[tuple[str, float], int] = {}
    for items in agents:
        order = best([item.at(now) for item in items], ranking, now, rng)
        for share in KEPT:
            kept = set(order[: round(share * len(order))])
            for item in items:
                later = sum(real for at, _, real in item.uses if at > now)
                for name in (item.what, "all"):
                    if share == KEPT[0]:
                        asked[name] = asked.get(name, 0) + later
                    found[name, share] = found.get((name, share), 0) + later * (item.life.id in kept)
    return {key: 100.0 * count / asked[key[0]] for key, count in found.items()}


def missed(agents: list[list[Item]], rules: Rules) -> tuple[float, float]:
    """With the default rules, looked at once a day: per cent of items archived by the end of the year, and per cent
    of genuine uses that found their item archived."""
    items = [item for one in agents for item in one]
    archived = late = genuine = 0
    for item in items:
        ends = lived(item, rules)
        archived += ends is not None
        genuine += sum(real for *_, real in item.uses)
        late += sum(real for at, _, real in item.uses if ends is not None and at > ends)
    return 100.0 * archived / len(items), 100.0 * late / genuine


def lived(item: Item, rules: Rules) -> int | None:
    """When a daily sweep archived the item; None when it lasted the year."""
    life, uses = item.life, list(item.uses)
    idle = least_idle(rules)
    for day in range(math.ceil(life.told_at / DAY), END):
        now = day * DAY
        while uses and uses[0][0] <= now:
            at, vote, _ = uses.pop(0)
            life = used(life, at, vote)._replace(pending_at=None)
        if now - life.used_at < idle:
            continue
        act = forgets(life, now, rules).act
        if act == Act.ARCHIVE:
            return now
        if act != Act.KEEP:
            life = life._replace(pending_at=now if act == Act.PEND else None)
    return None


@dataclass
class Split:
    """A conversation, told, whose questions are halved: those asked while it lasted left their mark on ``lives``."""

    told: Told
    later: list[Question]
    lives: list[Life]
    end: int


def split(memory: engrain.Memory, talk: Conversation, tenant: str, rng: random.Random) -> Split:
    agent = memory.agent("reader", tenant=tenant)
    place: dict[str, Any] = {}
    lives: dict[str, Life] = {}
    for item, unit, row in zip(agent.remember_many(talk.rows), talk.units, talk.rows, strict=True):
        place.setdefault(item.id, unit)
        lives.setdefault(item.id, new(item.id, to_micros(row["occurred_at"])))
    ids = {unit: id_ for id_, unit in place.items()}
    end = max(life.told_at for life in lives.values()) + 30 * DAY
    questions = rng.sample(talk.questions, len(talk.questions))
    half = len(questions) // 2
    marks = []
    for question in questions[:half]:
        evidence = [ids[unit] for unit in question.gold if unit in ids]
        if evidence:
            marks.append((rng.uniform(max(lives[id_].told_at for id_ in evidence), end - 30 * DAY), evidence))
    for at, evidence in sorted(marks):
        for id_ in evidence:
            lives[id_] = used(lives[id_], round(at), helpful=True)
    return Split(Told(talk, agent, place), questions[half:], list(lives.values()), end)


def recall_after(ranking: Ranking, seed: int) -> dict[float, float]:
    """Share kept -> recall@10 in per cent of the questions asked afterwards. 1.0: before anything is forgotten."""
    rng = random.Random(seed)
    found: dict[float, list[float]] = {share: [] for share in (1.0, *reversed(KEPT))}
    with tempfile.TemporaryDirectory() as home, engrain.open(home, world=SimulatedWorld()) as memory:
        for number, talk in enumerate(locomo()):
            one = split(memory, talk, f"t{number}", random.Random(f"{seed}:{number}"))
            order = best(one.lives, ranking, one.end, rng)
            for share, values in found.items():
                keep = round(share * len(one.lives))
                for id_ in order[keep:]:
                    one.told.agent.forget(id_)
                del order[keep:]
                for question in one.later:
                    hits = one.told.hits(question, 10)
                    values.append(len(question.gold.intersection(hits)) / len(question.gold))
    return {share: 100.0 * statistics.fmean(values) for share, values in found.items()}


def cell(values: Sequence[float]) -> str:
    spread = f" ± {statistics.stdev(values):.1f}" if len(values) > 1 else ""
    return f"{statistics.fmean(values):.1f}{spread}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    print("| " + " | ".join(head) + " |\n|" + " --- |" * len(head))
    for row in rows:
        print("| " + " | ".join(row) + " |", flush=True)
    print()


def report_year(seeds: int, agents: int) -> None:
    years = [year(seed, agents) for seed in range(seeds)]
    rows, kinds = [], []
    for name, ranking in RANKINGS.items():
        found = [kept_uses(one, ranking, random.Random(n)) for n, one in enumerate(years)]
        rows.append([name, *(cell([one["all", share] for one in found]) for share in KEPT)])
        kinds.append([name, *(cell([one[what, 0.5] for one in found]) for what in SHARES)])
    print(f"### The year: later uses found, per cent ({seeds} seeds, {agents} agents, {ITEMS} items each)\n")
    table(["ranked by", *(f"{share:.0%} kept" for share in KEPT)], rows)
    print("### The same at 50 % kept, by what the item is\n")
    table(["ranked by", *SHARES], kinds)
    lasted = []
    for name in POLICIES:
        runs = [missed(one, Rules(policy=name)) for one in years]
        lasted.append([name, cell([archived for archived, _ in runs]), cell([late for _, late in runs])])
    print("### With the default rules, day by day\n")
    table(["policy", "archived by the end, % of items", "uses that came too late, %"], lasted)


def report_locomo(seeds: int) -> None:
    rows = []
    for name, ranking in RANKINGS.items():
        runs = [recall_after(ranking, seed) for seed in range(seeds)]
        rows.append([name, *(cell([run[share] for run in runs]) for share in (*KEPT, 1.0))])
    print(f"### LoCoMo (data {digest('locomo')}, {seeds} splits): turn recall@10 of questions asked afterwards\n")
    table(["ranked by", *(f"{share:.0%} kept" for share in (*KEPT, 1.0))], rows)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", choices=("year", "locomo"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--agents", type=int, default=20, help="agents in a year")
    chosen = parser.parse_args()
    if chosen.only != "year" and not (DATA / FILES["locomo"]).exists():
        print(f"absent: {DATA / FILES['locomo']}; the simulated year alone: --only year", file=sys.stderr)
        return 1
    if chosen.only != "locomo":
        report_year(chosen.seeds, chosen.agents)
    if chosen.only != "year":
        report_locomo(chosen.seeds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
