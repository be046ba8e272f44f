"""Before any route: what may not come in, how much of it, and what is counted."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from engrain.shells.rest.problems import Refusal, problem

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from engrain.shells.rest.metrics import Metrics

HERE = frozenset({"localhost", "127.0.0.1", "::1"})
_IMPORT = re.compile("/api/memory/import/[^/]+")
IMPORT = 64  # times as much as another request an import may have: it is not held in memory
AT_ONCE = 512  # requests, beyond which it is better to come again


class Door:
    """Middleware around everything. Routes match the path as it was sent, so that a name with a slash in it, sent as
    %2F, stays one part. ``open``: no key is needed, so that pages of other sites must not get in by the browser."""

    def __init__(self, app: ASGIApp, metrics: Metrics, *, open: bool, limit: int) -> None:
        self._app = app
        self._metrics = metrics
        self._open = open
        self._limit = limit
        self._inside = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start = time.perf_counter()
        scope["path"] = scope["raw_path"].decode("latin-1")
        status = 500
        taken = 0
        limit = self._limit * (IMPORT if _IMPORT.fullmatch(scope["path"]) else 1)

        async def limited() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > limit:
                raise _too_large(limit)
            return message

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        self._inside += 1
        try:
            self._check({name: value.decode("latin-1") for name, value in scope["headers"]}, limit)
            counted = receive if scope["path"].startswith("/mcp/") else limited  # the SDK counts for itself
            await self._app(scope, counted, noted)
        except Refusal as error:
            await _send(error, noted)
        finally:
            self._inside -= 1
            self._metrics.note(scope, status, time.perf_counter() - start)

    def _check(self, headers: dict[bytes, str], limit: int) -> None:
        if self._inside > AT_ONCE:
            raise Refusal("TooBusy", 503, "Too many requests are running.")
        length = headers.get(b"content-length", "0")
        if length.isdigit() and int(length) > limit:
            raise _too_large(limit)
        if self._open and b"authorization" not in headers:
            names = [
                _host("//" + headers.get(b"host", "")),
                *([_host(headers[b"origin"])] if b"origin" in headers else []),
            ]
            if not HERE.issuperset(names):
                told = "Without a key the service answers to localhost alone, and to no page of another site."
                raise Refusal("Forbidden", 403, told)


def _too_large(limit: int) -> Refusal:
    return Refusal("RequestTooLarge", 413, f"A request may have {limit:,} bytes.", Connection="close")


def _host(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


async def _send(error: Refusal, send: Any) -> None:
    answer = problem(error)
    headers = {"Content-Type": answer.media, "Content-Length": str(len(answer.body)), **answer.headers}
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": raw})
    await send({"type": "http.response.body", "body": answer.body})
