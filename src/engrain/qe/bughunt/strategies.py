"""Six ways to write the inputs of a test. Each gets the same budget; none is best for every function."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from random import Random
from typing import Any

from engrain.qe.bughunt.corpus import Function
from engrain.qe.bughunt.values import EDGES, ELEMENT, draw, kind_of, nudge

Inputs = list[list[Any]]
Strategy = Callable[[Function, Random, int, Inputs], Inputs]


def _kinds(function: Function) -> list[str]:
    return [kind for _, kind in function.parameters]


def random(function: Function, rng: Random, budget: int, _: Inputs) -> Inputs:
    """Random values of the right types."""
    return [[draw(kind, rng) for kind in _kinds(function)] for _ in range(budget)]


def boundary(function: Function, rng: Random, budget: int, _: Inputs) -> Inputs:
    """Edge values: empty, zero, one, minus one, a power of two, white space, a very long text."""
    kinds = _kinds(function)
    decks = [rng.sample(EDGES[kind], len(EDGES[kind])) for kind in kinds]
    if len(kinds) == 1:
        return [[edge] for edge in decks[0][:budget]]
    return [[deck[n] if n < len(deck) else rng.choice(deck) for deck in decks] for n in range(budget)]


def mined(function: Function, rng: Random, budget: int, _: Inputs) -> Inputs:
    """Values that the docstring and the source mention, as they are, joined, and with one small edit."""

    def value(kind: str) -> Any:
        pool = function.mined.get(kind, [])
        parts = function.mined.get(ELEMENT.get(kind, ""), []) if kind not in ("str", "bytes") else []
        if kind == "float":
            parts = [float(number) for number in function.mined.get("int", ()) if abs(number) < 1e15]
        if kind == "bool" or not (pool or parts):
            return draw(kind, rng)
        if parts and (not pool or rng.random() < 0.5):
            return rng.choice(parts) if kind == "float" else rng.choices(parts, k=rng.randint(1, 5))
        match rng.randint(0, 3):
            case 0:
                return rng.choice(pool)
            case 1 if kind in ("str", "bytes"):
                return pool[0][:0].join(rng.choices([*pool, draw(kind, rng)[:4]], k=rng.randint(2, 5)))
            case 2:
                return nudge(nudge(rng.choice(pool), kind, rng), kind, rng)
            case _:
                return nudge(rng.choice(pool), kind, rng)

    return [[value(kind) for kind in _kinds(function)] for _ in range(budget)]


def remembered(function: Function, rng: Random, budget: int, memories: Inputs) -> Inputs:
    """Inputs that exposed faults before: first as they were, then with small edits; parts where only types agree."""
    kinds = _kinds(function)
    pool: dict[str, list[Any]] = {kind: [] for kind in kinds}
    whole: Inputs = []
    for arguments in memories:
        given = [kind_of(value) for value in arguments]
        if len(given) == len(kinds) and all(_fits(value, kind) for value, kind in zip(arguments, kinds, strict=True)):
            whole.append(arguments)
        for value in arguments:
            for kind, held in pool.items():
                if _fits(value, kind):
                    held.append(value)
    tests = whole[: budget // 2]
    while len(tests) < budget:
        base = list(rng.choice(whole)) if whole else [rng.choice(pool[k]) if pool[k] else draw(k, rng) for k in kinds]
        for spot in range(len(base)):
            if pool[kinds[spot]] and rng.random() < 0.25:
                base[spot] = rng.choice(pool[kinds[spot]])
        for _ in range(rng.randint(1, 3)):
            spot = rng.randrange(len(base))
            base[spot] = nudge(base[spot], kinds[spot], rng)
        tests.append(base)
    return tests


def _fits(value: Any, kind: str) -> bool:
    return kind_of(value) == kind or (value == [] and kind in ("ints", "floats", "strs"))


def relations(arguments: list[Any], rng: Random) -> Inputs:
    """Relatives of one input whose answers are related too (Chen et al., 1998): permuted, doubled, sorted, shifted …"""
    changed: Inputs = []
    for spot, value in enumerate(arguments):
        match kind_of(value):
            case "str":
                near = [
                    value * 2,
                    value[::-1],
                    value.upper(),
                    value.lower(),
                    f" {value} ",
                    value.replace(" ", "\n"),
                    value[: len(value) // 2],
                ]
            case "bytes":
                near = [value * 2, value[::-1], value.upper(), value + b"\n", value[: len(value) // 2]]
            case "int":
                near = [-value, value * 2, value + 1, abs(value) % 13, abs(value) % 60]
            case "float":
                near = [-value, value * 2, 1 - value, abs(value) % 1.0, value // 1]
            case "ints" | "floats" | "strs":
                near = [
                    sorted(value),
                    value[::-1],
                    value * 2,
                    [*value, *value[:1]],
                    value[:1] * len(value),
                    sorted(set(value)),
                ]
            case _:
                near = [not value] if isinstance(value, bool) else []
        changed += [[*arguments[:spot], each, *arguments[spot + 1 :]] for each in near]
    for left, right in itertools.combinations(range(len(arguments)), 2):
        if kind_of(arguments[left]) == kind_of(arguments[right]):
            swapped, same = list(arguments), list(arguments)
            swapped[left], swapped[right], same[left] = arguments[right], arguments[left], arguments[right]
            changed += [swapped, same]
        elif (
            isinstance(arguments[left], list)
            and arguments[left]
            and ELEMENT.get(kind_of(arguments[left]) or "") == kind_of(arguments[right])
        ):
            inside = list(arguments)
            inside[left], inside[right] = sorted(arguments[left]), rng.choice(arguments[left])
            changed.append(inside)
    rng.shuffle(changed)
    return changed


def metamorphic(function: Function, rng: Random, budget: int, _: Inputs) -> Inputs:
    """A few base inputs and their relatives: permuted, doubled, sorted, reversed, case turned, arguments swapped."""
    tests: Inputs = []
    while len(tests) < budget:
        pools = ((kind, function.mined.get(kind) or EDGES[kind]) for kind in _kinds(function))
        base = [rng.choice((draw(kind, rng), rng.choice(EDGES[kind]), rng.choice(pool))) for kind, pool in pools]
        tests += [base, *relations(base, rng)[:5]]
    return tests[:budget]


def exhaustive(function: Function, rng: Random, budget: int, _: Inputs) -> Inputs:
    """The smallest values, one after the other, as SmallCheck does (Runciman et al., 2008)."""
    letters = rng.sample("ab A0-.\n", 8)
    small: dict[str, list[Any]] = {
        "int": [(n + 1) // 2 * (-1) ** (n + 1) for n in range(budget)],
        "float": [(n + 1) // 2 * (-1) ** (n + 1) / 4 for n in range(budget)],
        "bool": [False, True],
        "str": ["".join(word) for n in range(3) for word in itertools.product(letters, repeat=n)],
    }
    small["bytes"] = [word.encode() for word in small["str"]]
    for kind in ("ints", "floats", "strs"):
        few = small[ELEMENT[kind]][:3]
        small[kind] = [list(word) for n in range(4) for word in itertools.product(few, repeat=n)]
    pools = [small[kind][:budget] for kind in _kinds(function)]
    tuples = itertools.product(
        *(
            list(enumerate(pool))[: max(2, round((3 * budget) ** (1 / len(pools))) + 1) if len(pools) > 1 else budget]
            for pool in pools
        )
    )
    ranked = sorted(tuples, key=lambda each: sum(n for n, _ in each))
    return [[value for _, value in each] for each in ranked[:budget]]


def hypothesis(function: Function, rng: Random, budget: int, _: Inputs) -> Inputs:
    """Hypothesis (MacIver et al., 2019): its own strategies for the types, without the search for the smallest."""
    from hypothesis import HealthCheck, Phase, given, seed, settings
    from hypothesis import strategies as st

    plain = {"str": st.text(), "int": st.integers(), "float": st.floats(), "bytes": st.binary(), "bool": st.booleans()}
    plain |= {kind: st.lists(plain[ELEMENT[kind]]) for kind in ("ints", "floats", "strs")}
    tests: Inputs = []

    @seed(rng.getrandbits(32))
    @settings(
        max_examples=budget,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.tuples(*(plain[kind] for kind in _kinds(function))))
    def collect(arguments: tuple[Any, ...]) -> None:
        tests.append(list(arguments))

    collect()
    return tests[:budget]


STRATEGIES: dict[str, Strategy] = {
    each.__name__: each for each in (random, boundary, mined, remembered, metamorphic, exhaustive, hypothesis)
}
