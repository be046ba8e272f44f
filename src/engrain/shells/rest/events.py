"""Events as they happen: a stream that a client can take up again where it lost it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import TYPE_CHECKING

from fastapi import Request, Response
from fastapi.responses import StreamingResponse

from engrain.access import Caller, events
from engrain.errors import EngrainError, InvalidField
from engrain.model.event import Event
from engrain.shells.plain import encoded
from engrain.shells.rest.problems import Refusal, problem
from engrain.shells.rest.service import Asked
from engrain.store.transitions import place_of

if TYPE_CHECKING:
    from engrain.shells.rest.application import Application

POLL = 0.5  # seconds between two looks into the log, which other processes write to as well
HEARTBEAT = 15.0  # seconds after which a silent stream says that it is there
CHUNK = 200  # events read at once
STREAMS = 128  # at a time


class Events:
    """The route of the events."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._streams = 0

    async def stream(self, request: Request) -> Response:
        """A stream of the caller's events, of one agent or of all that the key is for."""
        from engrain.shells.rest.application import response

        try:
            asked = self._application.asked(request)
            query = dict(asked.query)
            if unknown := sorted(query.keys() - {"agent", "after"}):
                raise InvalidField(f"There is no argument {unknown[0]!r}; the arguments are agent, after.")
            if len(query) < len(asked.query):
                raise InvalidField("An argument is given twice.")
            agent = query.get("agent")
            asked = Asked(asked.method, asked.path, asked.headers, (), b"", agent)
            after = _place(asked.headers.get("last-event-id") or query.get("after"))
            caller, start = await self._application.run(True, partial(self._begin, asked, after))
        except (Refusal, EngrainError) as error:
            return response(problem(error))
        told = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(self._told(asked, caller, start), media_type="text/event-stream", headers=told)

    def _begin(self, asked: Asked, after: tuple[int, int] | None) -> tuple[Caller, tuple[int, int]]:
        service = self._application.service
        caller = service.admit(asked, "read")
        if self._streams >= STREAMS:
            raise Refusal("TooBusy", 503, "Too many streams of events are open.")
        if asked.agent is not None:
            caller = Caller(caller.owner, caller.tenant, (asked.agent,), caller.rights)
        now = events(service.memory.store, caller, None, 0)[1]  # a restored backup may be before `after`
        return caller, now if after is None else min(after, now)

    async def _told(self, asked: Asked, caller: Caller, after: tuple[int, int]) -> AsyncIterator[str]:
        """The text of the stream, until the client or the server leaves, or the key is good no longer."""
        service, silent = self._application.service, 0.0
        self._streams += 1
        try:
            yield f"retry: 1000\nid: {after[0]}-{after[1]}\n: here from now on\n\n"
            while not self._application.closing:
                look = partial(events, service.memory.store, caller, after, CHUNK)
                found, last = await self._application.run(True, look)
                for event in found:
                    yield _shown(event)
                if not found and last != after:
                    yield f"id: {last[0]}-{last[1]}\n\n"
                silent = 0.0 if last != after else silent + POLL
                moved, after = last != after, last
                if silent >= HEARTBEAT:
                    silent = 0.0
                    yield ": still here\n\n"
                if not moved:
                    await asyncio.sleep(POLL)
                    if not await self._application.run(True, partial(service.still_good, asked)):
                        return
        finally:
            self._streams -= 1


def _shown(event: Event) -> str:
    return f"id: {event.id}\nevent: {event.event}\ndata: {encoded(event).decode()}\n\n"


def _place(given: str | None) -> tuple[int, int] | None:
    """The place in the log that an id stands for. Raises InvalidField."""
    found = None if given is None else place_of(given)
    if given is not None and found is None:
        raise InvalidField(f"after, or Last-Event-ID, must be the id of an event such as 17-0, not {given[:40]!r}.")
    return found
