"""Every error as a problem (RFC 9457): its type names the class, its status says whose fault it is."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from engrain import errors

TYPES = "https://engrain.dev/errors/"
MEDIA = "application/problem+json"
# The nearest class counts. What is above 499 is our fault: its detail, which may name files and hosts, is only logged.
STATUS: dict[type[errors.EngrainError], int] = {
    errors.EngrainError: 500,
    errors.InvalidInput: 422,
    errors.NotFound: 404,
    errors.Changed: 409,
    errors.PolicyRefused: 422,
    errors.EmbedderError: 503,
    errors.ArchiveUnavailable: 503,
    errors.ArchiveConflict: 503,
    errors.QueryLimit: 422,
    errors.StoreUnavailable: 503,
    errors.StoreReadOnly: 503,
    errors.StoreBusy: 503,
    errors.StoreClosed: 503,
    errors.StoreFull: 507,
}
RETRY = {429: "60", 503: "1"}  # seconds after which to come again, where nothing better is known
_log = logging.getLogger(__name__)


class Refusal(Exception):
    """A request that does not come as far as a verb: the name of the problem, its status, and what to do."""

    def __init__(self, name: str, status: int, detail: str, **headers: str) -> None:
        super().__init__(detail)
        self.name = name
        self.status = status
        self.detail = detail
        self.headers = {key.replace("_", "-"): value for key, value in headers.items()}


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back: a status, a body of JSON and headers."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    media: str = "application/json"


def problem(error: BaseException) -> Answer:
    """The answer to a request that failed. What nobody foresaw is logged in full, and told to nobody."""
    if isinstance(error, Refusal):
        return _answer(error.name, error.status, error.detail, error.headers)
    if not isinstance(error, errors.EngrainError):
        _log.error("a request failed", exc_info=error)
        return _answer("Internal", 500, "engrain failed at this; its log says why.", {})
    name = type(error).__name__
    status = next(STATUS[one] for one in type(error).__mro__ if one in STATUS)
    if status < 500:
        return _answer(name, status, error.detail or str(error), {})
    _log.error("%s: %s", name, error)
    return _answer(name, status, (type(error).__doc__ or "").strip().splitlines()[0], {})


def plain_problem(status: int, headers: Mapping[str, str] | None = None) -> Answer:
    """The answer where the framework refuses: no such path, another method."""
    names = {
        404: ("NoSuchPath", "There is nothing at this path; /openapi.json says what there is."),
        405: ("MethodNotAllowed", "This path takes another method; the header Allow says which."),
    }
    name, detail = names.get(status, ("Malformed", HTTPStatus(status).phrase + "."))
    return _answer(name, status, detail, headers or {})


def _answer(name: str, status: int, detail: str, headers: Mapping[str, str]) -> Answer:
    told: dict[str, Any] = {
        "type": TYPES + name, "title": HTTPStatus(status).phrase, "status": status, "detail": detail,
    }  # fmt: skip
    more = {"Retry-After": RETRY[status]} if status in RETRY else {}
    return Answer(status, json.dumps(told).encode(), {**more, **headers}, MEDIA)
