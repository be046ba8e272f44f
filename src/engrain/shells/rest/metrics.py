"""What the service counts, as Prometheus reads it. The format is lines of text; a library would be more code to load
than these are to read, and its registry is one for the whole process."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from mmap import mmap
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from engrain.memory import Memory

BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # seconds
STATUSES = (200, 202, 304, 400, 401, 403, 404, 405, 406, 408, 409, 413, 415, 422, 429, 500, 503, 507, 599)
ROUTES = 256
NONE = ("ANY", "none")  # whatever no route was found for


class Tally:
    """What one worker has counted, in memory that all workers see: made before they are. A row for each route."""

    def __init__(self) -> None:
        room = mmap(-1, ROUTES * (len(STATUSES) + len(BOUNDS) + 2) * 8)
        rows = np.frombuffer(room, np.float64).reshape(ROUTES, -1)
        self.statuses, self.times = rows[:, : len(STATUSES)], rows[:, len(STATUSES) :]


class Metrics:
    """Requests by route and status, their times, and what is in the home; ``number`` is this worker's tally."""

    def __init__(self, memory: Memory, tallies: Sequence[Tally], number: int) -> None:
        self._memory = memory
        self._tallies = tallies
        self._own = tallies[number]
        self._routes: dict[tuple[str, str], int] = {}

    def know(self, routes: Sequence[tuple[str, str]]) -> None:
        """The methods and paths of the routes, which are the same in every worker."""
        self._routes = {route: place for place, route in enumerate(dict.fromkeys([NONE, *routes]))}

    def note(self, scope: Any, status: int, seconds: float) -> None:
        """One request, by the path of its route: a path as it was sent could be anything. Called in one thread."""
        place = self._routes.get((scope["method"], getattr(scope.get("route"), "path", "")), 0)
        self._own.statuses[place, bisect_left(STATUSES, status) % len(STATUSES)] += 1
        self._own.times[place, bisect_left(BOUNDS, seconds)] += 1
        self._own.times[place, -1] += seconds

    def text(self) -> str:
        """Everything, as text. Reads the store."""
        return "\n".join([*self._of_requests(), *self._of_home(), ""])

    def _of_requests(self) -> Iterator[str]:
        statuses = np.sum([tally.statuses for tally in self._tallies], axis=0)
        times = np.sum([tally.times for tally in self._tallies], axis=0)
        yield from _head("engrain_requests_total", "counter", "Requests answered.")
        for (method, route), place in self._routes.items():
            for status, count in zip(STATUSES, statuses[place], strict=True):
                if count:
                    yield f"engrain_requests_total{_labels(method=method, route=route, status=status)} {count:.0f}"
        yield from _head("engrain_request_seconds", "histogram", "How long requests took.")
        for (method, route), place in self._routes.items():
            below = np.cumsum(times[place][:-1])
            if below[-1]:
                told = {"method": method, "route": route}
                for bound, count in zip((*BOUNDS, "+Inf"), below, strict=True):
                    yield f"engrain_request_seconds_bucket{_labels(**told, le=bound)} {count:.0f}"
                yield f"engrain_request_seconds_sum{_labels(**told)} {times[place][-1]:.6f}"
                yield f"engrain_request_seconds_count{_labels(**told)} {below[-1]:.0f}"

    def _of_home(self) -> Iterator[str]:
        store = self._memory.store
        yield from _head("engrain_memories", "gauge", "Memories by their state.")
        for row in store.read("service_states"):
            yield f"engrain_memories{_labels(state=row['state'])} {row['n']}"
        yield from _head("engrain_role_runs_total", "counter", "Runs of background roles by how they ended.")
        for row in store.read("service_runs"):
            yield f"engrain_role_runs_total{_labels(role=row['role'], state=row['state'])} {row['n']}"
        score = self._memory.supervisor.score()
        if score is not None:
            yield from _head("engrain_background_score", "gauge", "How background work fares, 0 to 100.")
            yield f"engrain_background_score {score}"


def _head(name: str, kind: str, told: str) -> tuple[str, str]:
    return f"# HELP {name} {told}", f"# TYPE {name} {kind}"


def _labels(**values: object) -> str:
    escaped = {name: str(one).translate({92: "\\\\", 34: '\\"', 10: "\\n"}) for name, one in values.items()}
    return "{" + ",".join(f'{name}="{one}"' for name, one in escaped.items()) + "}"
