"""The empirical model: what followed each action in each state, as sparse arrays.

Maximum likelihood: the probability of a next state is its share of the evidence, the reward of an action in a state the
mean of its rewards weighted by evidence. What was done in a state, in the same shares, is the behaviour that wrote the
log. Evidence is counted in outcomes of the best tier that there is: a log of one tier alone counts each outcome as one.

States that were reached and never acted in are either ends that the user told as a next state, or the last states of
episodes that were cut off. How often such a state is no end is not known; when it was reached m times and never left,
at most 3 / m of the time (the rule of three, a 95 % bound; Hanley and Lippman-Hand 1983). So often it is taken to be
worth as little as the worst state that is known, and never more than an end, which is worth 0: what nobody has seen
must not look attractive, and a common end that was told as a state is not mistaken for a trap.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engrain.learn.log import END, Counts, Floats, Ints


@dataclass(frozen=True, slots=True)
class Model:
    """``keys`` and ``actions`` are sorted. States that were acted in come first: ``states`` of them, then those that
    were only reached. Pairs (state, action) are sorted, transitions by pair.

    By pair, [p]: ``state``, ``action``, ``visits`` (experiences), ``weight`` (evidence, see above), ``reward``,
    ``behaviour`` (share of the state's evidence). By state that was acted in, [s]: ``first``, its first pair. By
    transition, [t]: its ``pair``, ``next`` (``len(keys)``: the end), ``chance``, ``gain`` (mean reward) and ``noise``
    (variance of the reward). ``open``, [reached only]: how often no end.
    """

    keys: tuple[str, ...]
    actions: tuple[str, ...]
    states: int
    state: Ints
    action: Ints
    visits: Floats
    weight: Floats
    reward: Floats
    behaviour: Floats
    first: Ints
    pair: Ints
    next: Ints
    chance: Floats
    gain: Floats
    noise: Floats
    open: Floats

    @property
    def ends(self) -> bool:
        """Whether every transition ended: decisions without consequences but their reward."""
        return bool((self.next == len(self.keys)).all())

    def whole(self, values: Floats) -> Floats:
        """Values [s] of the states that were acted in, with those of all others and of the end behind: [keys + 1]."""
        worst = min(0.0, float(values.min())) if len(values) else 0.0
        return np.concatenate([values, self.open * worst, [0.0]])

    def backup(self, values: Floats, discount: float) -> Floats:
        """Q [p]: the reward and the discounted value of what follows, for values [s]."""
        return self.reward + discount * self.mean(self.whole(values)[self.next])

    def mean(self, of_transitions: Floats) -> Floats:
        """Expected values by pair, [p]."""
        return np.asarray(np.bincount(self.pair, self.chance * of_transitions, len(self.state)), dtype=np.float64)

    def sums(self, of_pairs: Floats) -> Floats:
        """Sums by state, [s]."""
        return np.asarray(np.bincount(self.state, of_pairs, self.states), dtype=np.float64)

    def best(self, of_pairs: Floats) -> Floats:
        """The highest by state, [s]."""
        return np.maximum.reduceat(of_pairs, self.first) if len(of_pairs) else np.zeros(0)

    def spread(self, values: Floats, discount: float) -> float:
        """The standard deviation of what follows an action, reward and discounted value together, pooled over all
        pairs: what no knowledge of state and action takes away. Total spread of it counts as one outcome beside, so
        that a few outcomes that happen to agree are not taken for certainty."""
        if not len(self.next):
            return 0.0
        told = self.gain + discount * self.whole(values)[self.next]
        mean, square = self.mean(told), self.mean(told * told + self.noise)
        inside = float((self.weight * np.maximum(square - mean * mean, 0.0)).sum())
        freedom = float((self.weight * (1.0 - 1.0 / np.maximum(self.visits, 1.0))).sum())
        total = float(self.weight.sum())
        centre = float((self.weight * mean).sum()) / total
        around = max(0.0, float((self.weight * square).sum()) / total - centre * centre)
        return float(np.sqrt((inside + around) / (freedom + 1.0)))


def model_of(counts: Counts) -> Model:
    """The model of some counts. Rows without evidence are left out; the order of rows, states and actions does not
    matter, down to the bits. Rows that name the same transition add up."""
    kept = (counts.weight > 0.0) & (counts.n > 0.0)
    names, actions = _order(counts.keys), _order(counts.actions)
    size, width = len(names), len(actions)
    state = _places(names)[counts.state[kept]]
    action = _places(actions)[counts.action[kept]]
    follower = counts.next[kept]
    follower = np.where(follower == END, size, np.append(_places(names), size)[follower])
    acted = np.zeros(size, dtype=bool)
    acted[state] = True
    places = np.append(np.argsort(np.argsort(~acted, kind="stable"), kind="stable"), size)
    state, follower = places[state], places[follower]
    known = np.argsort(places[:size], kind="stable")
    columns = np.stack([column[kept] for column in (counts.n, counts.weight, counts.total, counts.squares)])
    pair = state * width + action
    order = np.lexsort((follower, pair)) if _unsorted(pair, follower) else np.arange(len(pair))
    pair, follower, columns = pair[order], follower[order], columns[:, order]
    new = np.flatnonzero(np.diff(pair, prepend=-1) | np.diff(follower, prepend=-1))
    visits, weight, total, squares = np.add.reduceat(columns, new, axis=1) if len(new) else np.zeros((4, 0))
    pair, follower = pair[new], follower[new]
    start = np.flatnonzero(np.diff(pair, prepend=-1))
    owner = np.repeat(np.arange(len(start)), np.diff(np.append(start, len(pair))))
    weights, totals, seen = (
        np.asarray(np.bincount(owner, column, len(start)), dtype=np.float64) for column in (weight, total, visits)
    )
    gain = total / weight
    acting = pair[start] // max(width, 1)
    ones = int(acted.sum())
    unit = float((weight / visits).max(initial=0.0)) or 1.0
    reached = np.bincount(follower, weight, size + 1)[ones:size] / unit
    return Model(
        keys=tuple(counts.keys[names[one]] for one in known), actions=tuple(counts.actions[one] for one in actions),
        states=ones, state=acting, action=pair[start] % max(width, 1), visits=seen, weight=weights / unit,
        reward=totals / weights, behaviour=weights / np.bincount(acting, weights, ones)[acting],
        first=np.flatnonzero(np.diff(acting, prepend=-1)), pair=owner, next=follower, chance=weight / weights[owner],
        gain=gain, noise=np.maximum(squares / weight - gain * gain, 0.0),
        open=np.minimum(1.0, 3.0 / np.maximum(reached, 1.0)),
    )  # fmt: skip


def _order(names: tuple[str, ...]) -> Ints:
    """The numbers of names in the order of the names."""
    return np.array(sorted(range(len(names)), key=names.__getitem__), dtype=np.int64)


def _places(order: Ints) -> Ints:
    """Where each number stands in an order."""
    places = np.empty(len(order), dtype=np.int64)
    places[order] = np.arange(len(order))
    return places


def _unsorted(pair: Ints, follower: Ints) -> bool:
    """Whether transitions are out of order, or told more than once."""
    step, within = np.diff(pair), np.diff(follower)
    return bool(((step < 0) | ((step == 0) & (within <= 0))).any())
