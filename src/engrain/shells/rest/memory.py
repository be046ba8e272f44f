"""The paths under /api/memory, beside those of the table: some verbs again, and export and import as streams."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from starlette.requests import ClientDisconnect

from engrain.access import Caller
from engrain.errors import EngrainError
from engrain.model.exchange import CONFLICTS
from engrain.shells.fields import Field, parse
from engrain.shells.plain import encoded
from engrain.shells.rest.problems import Answer, Refusal, problem
from engrain.shells.rest.service import Asked, from_query

if TYPE_CHECKING:
    from engrain.shells.rest.application import Application

# Method, path and verb. The number of parts and the method tell them apart, whatever an agent is called: an agent named
# export is read at GET /api/memory/export/archived, one named archived is exported by POST to the same path.
AGAIN = (
    ("GET", "/api/memory/metrics", "metrics"),
    ("POST", "/api/memory/prune", "prune"),
    ("GET", "/api/memory/{agent}/archived", "archived"),
    ("POST", "/api/memory/{agent}/restore/{id}", "restore"),
)
_FORMAT = Field("format", "choice", "The format.", "json", ("json", "jsonl", "csv"))
EXPORT = (_FORMAT,)
IMPORT = (
    Field("format", "text", "json, jsonl, csv, mem0, mcp-memory or claude-code, when it cannot be told.", None),
    Field("on_conflict", "choice", "What a row does that meets a memory.", "keep-newer", CONFLICTS),
    Field("partial", "flag", "Leave out rows that are refused, instead of changing nothing.", False),
)
MEDIA = {"json": "application/json", "jsonl": "application/x-ndjson", "csv": "text/csv; charset=utf-8"}
SPOOLED = 1 << 20  # bytes of an import that stay in memory


class Streams:
    """Export and import. An import may be larger than other requests, because it goes to a file first."""

    def __init__(self, application: Application) -> None:
        self._application = application

    async def export(self, request: Request) -> Response:
        """Everything that an agent remembers, as it is read."""
        return await self._done(request, EXPORT, self._export)

    async def take_in(self, request: Request) -> Response:
        """What an export wrote, or another memory; the body is the file."""
        return await self._done(request, IMPORT, self._import)

    async def _done(self, request: Request, fields: tuple[Field, ...], work: Any) -> Response:
        from engrain.shells.rest.application import response

        try:
            asked = self._application.asked(request)
            given = parse(fields, from_query(fields, asked.query))
            rights = "read" if fields is EXPORT else "write"
            caller = await self._application.run(True, partial(self._application.service.admit, asked, rights))
            found: Response = await work(request, asked, caller, given)
        except (Refusal, EngrainError) as error:
            return response(problem(error))
        return found

    async def _export(self, _: Request, asked: Asked, caller: Caller, given: dict[str, Any]) -> Response:
        format_ = given.get("format", "json")
        agent = self._application.service.memory.agent(asked.agent or "", caller.tenant)
        pieces = await self._application.run(True, partial(agent.export_data, format_))
        first = await self._application.run(True, partial(next, pieces, b""))  # what fails, fails before the status
        return StreamingResponse(self._pieces(first, pieces), media_type=MEDIA[format_])

    async def _pieces(self, first: bytes, pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
        yield first
        while piece := await self._application.run(True, partial(next, pieces, b"")):
            yield piece

    async def _import(self, request: Request, asked: Asked, caller: Caller, given: dict[str, Any]) -> Response:
        from engrain.shells.rest.application import BODY_SECONDS, response

        agent = self._application.service.memory.agent(asked.agent or "", caller.tenant)
        with tempfile.SpooledTemporaryFile(SPOOLED) as file:
            try:
                async with asyncio.timeout(20 * BODY_SECONDS):
                    async for piece in request.stream():
                        await self._application.run(False, partial(file.write, piece))
            except (TimeoutError, ClientDisconnect) as error:
                raise Refusal("RequestTimeout", 408, "The body did not come in time.", Connection="close") from error
            file.seek(0)
            pieces = iter(partial(file.read, 1 << 16), b"")
            taken = await self._application.run(False, partial(agent.import_data, pieces, **given))
        return response(Answer(200, encoded(taken)))
