"""What the service counts, as Prometheus reads it. The format is lines of text; a library would be more code to load
than these are to read, and its registry is one for the whole process."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engrain.memory import Memory

BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # seconds


class Metrics:
    """Requests by route and status, their times, and what is in the home."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._lock = threading.Lock()
        self._requests: dict[tuple[str, str, int], int] = {}
        self._times: dict[str, list[float]] = {}  # how many fell under each bound, above all, and their sum

    def note(self, scope: Any, status: int, seconds: float) -> None:
        """One request, by the path of its route: a path as it was sent could be anything."""
        route = getattr(scope.get("route"), "path", None) or "none"
        with self._lock:
            key = (scope["method"] if route != "none" else "ANY", route, status)
            self._requests[key] = self._requests.get(key, 0) + 1
            times = self._times.setdefault(route, [0.0] * (len(BOUNDS) + 2))
            times[bisect_left(BOUNDS, seconds)] += 1
            times[-1] += seconds

    def text(self) -> str:
        """Everything, as text. Reads the store."""
        return "\n".join([*self._of_requests(), *self._of_home(), ""])

    def _of_requests(self) -> Iterator[str]:
        with self._lock:
            requests = dict(self._requests)
            times = {route: list(one) for route, one in self._times.items()}
        yield from _head("engrain_requests_total", "counter", "Requests answered.")
        for (method, route, status), count in sorted(requests.items()):
            yield f"engrain_requests_total{_labels(method=method, route=route, status=status)} {count}"
        yield from _head("engrain_request_seconds", "histogram", "How long requests took.")
        for route, one in sorted(times.items()):
            below = 0.0
            for bound, fell in zip((*BOUNDS, "+Inf"), one[:-1], strict=True):
                below += fell
                yield f"engrain_request_seconds_bucket{_labels(route=route, le=bound)} {below:.0f}"
            yield f"engrain_request_seconds_sum{_labels(route=route)} {one[-1]:.6f}"
            yield f"engrain_request_seconds_count{_labels(route=route)} {below:.0f}"

    def _of_home(self) -> Iterator[str]:
        store = self._memory.store
        yield from _head("engrain_memories", "gauge", "Memories by their state.")
        for row in store.read("service_states"):
            yield f"engrain_memories{_labels(state=row['state'])} {row['n']}"
        yield from _head("engrain_role_runs_total", "counter", "Runs of background roles by how they ended.")
        for row in store.read("service_runs"):
            yield f"engrain_role_runs_total{_labels(role=row['role'], state=row['state'])} {row['n']}"


def _head(name: str, kind: str, told: str) -> tuple[str, str]:
    return f"# HELP {name} {told}", f"# TYPE {name} {kind}"


def _labels(**values: object) -> str:
    escaped = {name: str(one).translate({92: "\\\\", 34: '\\"', 10: "\\n"}) for name, one in values.items()}
    return "{" + ",".join(f'{name}="{one}"' for name, one in escaped.items()) + "}"
