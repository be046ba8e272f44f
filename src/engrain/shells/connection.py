"""A service over HTTP: asked, asked again where that is safe, and its problems as the errors that they were."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

import httpx2

from engrain import errors
from engrain.errors import (
    AccessDenied,
    ConfigError,
    EngrainError,
    InvalidField,
    ServiceError,
    StoreClosed,
    StoreUnavailable,
)
from engrain.world import World

_AGAIN = (429, 502, 503, 504)  # it may go better in a moment; so may what is still running
_SILENCE = 60.0  # seconds without a sign of life (there is one every 15) after which a stream is taken up again


class Connection:
    """Connections to one service, kept open and shared by threads. ``timeout``: seconds that one attempt may take;
    ``patience``: seconds in which an attempt that failed is made again."""

    def __init__(self, url: str, key: str | None, world: World, timeout: float, patience: float) -> None:
        try:
            self._url = httpx2.URL(url.rstrip("/") + "/")
        except httpx2.InvalidURL as error:
            raise ConfigError(f"{url!r} is no URL: {error}.") from error
        self._headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
        self._world = world
        self._timeout = timeout
        self._patience = patience
        self._closed = False
        self._lock = threading.Lock()
        self._begin()

    def _begin(self) -> None:
        self._pool = httpx2.Client(base_url=self._url, headers=self._headers, timeout=self._timeout)
        self._pid = os.getpid()

    @property
    def _http(self) -> httpx2.Client:
        if self._closed:
            raise StoreClosed
        with self._lock:
            if self._pid != os.getpid():  # after a fork: two processes must not speak over one connection
                self._begin()
            return self._pool

    def ask(self, path: str, body: Mapping[str, Any], headers: Mapping[str, str], *, writes: bool) -> Any:
        """What the service answers. A write carries an id, by which the service knows it again when it is repeated."""
        try:
            content = json.dumps(body, allow_nan=False, default=_plain).encode()
        except (TypeError, ValueError, RecursionError) as error:
            raise InvalidField(f"That cannot be sent as JSON: {error}.") from error
        headers = {**headers, **({"Idempotency-Key": self._world.new_id()} if writes else {})}
        pause, start, limit = 0.05, time.monotonic(), self._patience
        while True:
            try:
                response = self._http.post(path, content=content, headers=headers)
            except httpx2.TransportError as error:
                failure, wait = self._unreachable(error), 0.0
            else:
                if response.status_code == 200:
                    return _json(response)
                failure, wait = _failure(response), _seconds(response)
                running = _name(response) == "RequestRunning"  # our own, whose answer was lost: no failure yet
                if response.status_code not in _AGAIN and not running:
                    raise failure
                limit = max(limit, self._timeout) if running else limit
            pause = max(2 * pause, wait)
            if time.monotonic() + pause > start + limit:
                raise failure
            time.sleep(pause)

    def events(self, query: Mapping[str, str], headers: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        """Events, as long as somebody takes them and the service can be reached."""
        last: dict[str, str] = {}
        pause, end = 0.05, 0.0
        settings = httpx2.Timeout(self._timeout, read=_SILENCE)
        while True:
            try:
                with self._http.stream(
                    "GET", "v1/events", params=query, headers={**headers, **last}, timeout=settings
                ) as told:
                    if told.status_code != 200:
                        told.read()
                        failure = _failure(told)
                        if told.status_code not in _AGAIN:
                            raise failure
                    else:
                        for event in httpx2.EventSource(told):
                            last, end = {"Last-Event-ID": event.id}, 0.0
                            if event.data:
                                yield json.loads(event.data)
                        failure = StoreUnavailable(f"{self._url}: the service ended the stream of events.")
            except httpx2.TransportError as error:
                failure = self._unreachable(error)
            if not end:
                pause, end = 0.05, time.monotonic() + self._patience
            pause *= 2
            if time.monotonic() + pause > end:
                raise failure
            time.sleep(pause)

    def _unreachable(self, error: Exception) -> EngrainError:
        return StoreUnavailable(f"{self._url}: {error or type(error).__name__}. Is engrain serve running there?")

    def close(self) -> None:
        self._closed = True
        if self._pid == os.getpid():
            self._pool.close()


def _plain(value: Any) -> Any:
    """What json does not know: any mapping, and a set."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset):
        return list(value)
    raise TypeError(f"{type(value).__name__} is not of JSON")


def _json(response: httpx2.Response) -> Any:
    try:
        return response.json()
    except ValueError as error:
        raise ServiceError(f"{response.url} answers, but not as engrain does.") from error


def _told(response: httpx2.Response) -> dict[str, Any]:
    """The problem (RFC 9457) that an answer is, or an empty one."""
    try:
        found = response.json()
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {}


def _name(response: httpx2.Response) -> str:
    return str(_told(response).get("type", "")).rpartition("/")[2]


def _seconds(response: httpx2.Response) -> float:
    text = response.headers.get("retry-after", "")
    return float(text) if text.isdigit() else 0.0


def _failure(response: httpx2.Response) -> EngrainError:
    """The error that a problem stands for: of its own class where that is one of ours."""
    name, detail = (
        _name(response),
        str(_told(response).get("detail") or f"{response.url} answers {response.status_code}."),
    )
    found = getattr(errors, name, None)
    if isinstance(found, type) and issubclass(found, EngrainError):
        summary = (found.__doc__ or "").strip().splitlines()[0]
        return found("" if detail == summary else detail)
    if response.status_code in (401, 403):
        return AccessDenied(
            f"{detail} The client takes it from key= or ENGRAIN_KEY." if response.status_code == 401 else detail
        )
    return ServiceError(f"{detail} ({name or response.status_code})")
