"""A request that asks for a verb, answered: who asks, what for, once or again. Blocks; runs in threads."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlencode

from engrain.access import Caller, Replies, tenant_name
from engrain.errors import InvalidField
from engrain.model.key import EVERY_TENANT, ApiKey
from engrain.shells.fields import Field, parse
from engrain.shells.plain import encoded
from engrain.shells.rest.limits import Limits
from engrain.shells.rest.problems import Answer, Refusal, problem
from engrain.shells.verb import Verb

if TYPE_CHECKING:
    from engrain.memory import Memory

HOME = "This is of the whole home; it needs a key of every tenant (*), and no tenant in X-Engrain-Tenant."
NAME = 255  # characters of a key of idempotency
_TRUTHS = {"true": True, "false": False, "1": True, "0": False}


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: ``headers`` by their lower-case names, ``query`` in its order; ``named`` are arguments in the path."""

    method: str
    path: str
    headers: Mapping[str, str]
    query: Sequence[tuple[str, str]] = ()
    body: bytes = b""
    agent: str | None = None
    named: Mapping[str, str] = field(default_factory=dict)


class Service:
    """What answers. ``open``: only this machine can call, so that nobody needs a key as long as there is none."""

    def __init__(self, memory: Memory, *, open: bool) -> None:
        self.memory = memory
        self.keys = memory.keys
        self.replies = Replies(memory.store, memory.world)
        self._limits = Limits(memory.config.requests_per_minute)
        self._open = open

    def answer(self, verb: Verb, asked: Asked, caller: Caller | None = None) -> Answer:
        """Carry a request out, of a ``caller`` that was admitted, or is to be."""
        try:
            caller = caller or self.admit(asked, verb.rights)
            given = self._given(verb, asked)
            if verb.admin:
                self._bind(verb, caller, given)
            key = asked.headers.get("idempotency-key")
            if key is None or verb.reads:
                return self._carried_out(verb, caller, asked, given)
            return self._once(verb, caller, asked, given, key)
        except Exception as error:  # noqa: BLE001 (told to the caller as a problem, and logged where it is our fault)
            return problem(error)

    # -- who ----------------------------------------------------------------------------------------------------------

    def admit(self, asked: Asked, rights: str) -> Caller:
        """Who asks, for the tenant that is meant. Raises Refusal."""
        caller = self._caller(asked.headers)
        named = asked.headers.get("x-engrain-tenant")
        tenant = tenant_name(None if named is None else unquote(named))
        if tenant == EVERY_TENANT:
            raise InvalidField("tenant must not be '*', which stands for the whole home; leave the header out.")
        if caller.tenant == EVERY_TENANT:
            caller = replace(caller, tenant=tenant or "default", home=tenant is None)
        elif tenant not in (None, caller.tenant):
            raise Refusal("Forbidden", 403, "This key is for another tenant than the header X-Engrain-Tenant names.")
        if not caller.may(rights):
            raise Refusal("Forbidden", 403, f"This needs the right {rights}; the key has {caller.rights}.")
        if asked.agent is not None and not caller.is_for(asked.agent):
            raise Refusal("Forbidden", 403, "This key is not for this agent.")
        who = [("agent", caller.tenant, asked.agent), *([("key", caller.owner)] if caller.owner else [])]
        if wait := self._limits.wait(who, self.memory.world.now()):
            raise Refusal("TooManyRequests", 429, "Too many requests a minute.", Retry_After=str(math.ceil(wait)))
        return caller

    def _caller(self, headers: Mapping[str, str]) -> Caller:
        given = headers.get("authorization")
        if given is None and self._open and not self.keys.needed():
            return Caller("", EVERY_TENANT, None, "admin")
        scheme, _, key = (given or "").partition(" ")
        caller = self.keys.caller(key.strip()) if scheme.lower() == "bearer" else None
        if caller is None:
            told = "Send a key that is good: `Authorization: Bearer eg_…`; `engrain keys create` makes one."
            raise Refusal("Unauthorized", 401, told, WWW_Authenticate="Bearer")
        return caller

    def still_good(self, asked: Asked) -> bool:
        """Whether whoever was admitted would be now."""
        try:
            self._caller(asked.headers)
        except Refusal:
            return False
        return True

    @staticmethod
    def _bind(verb: Verb, caller: Caller, given: dict[str, Any]) -> None:
        """An admin of one tenant has those verbs of the home that can be kept to a tenant; there it is theirs. So has
        who names a tenant; an admin of some agents has none."""
        if caller.home:
            return
        if caller.agents is not None or not any(one.name == "tenant" for one in verb.fields):
            raise Refusal("Forbidden", 403, HOME)
        if given.setdefault("tenant", caller.tenant) != caller.tenant:
            raise Refusal("Forbidden", 403, "This key is for another tenant.")

    # -- what ---------------------------------------------------------------------------------------------------------

    def _given(self, verb: Verb, asked: Asked) -> dict[str, Any]:
        if asked.method == "GET":
            return parse(verb.fields, from_query(verb.fields, asked.query))
        if asked.query:
            raise InvalidField("The arguments of a POST are its body, a JSON object, not its query.")
        kind = asked.headers.get("content-type", "").partition(";")[0].strip().lower()
        if not asked.body and not kind:
            return parse(verb.fields, asked.named)
        if kind != "application/json":
            raise Refusal("UnsupportedMediaType", 415, "The body must be JSON: Content-Type: application/json.")
        given = _json(asked.body)
        if asked.named and isinstance(given, dict):
            if both := sorted(asked.named.keys() & given.keys()):
                raise InvalidField(f"{both[0]} stands in the path; leave it out of the body.")
            given = {**given, **asked.named}
        return parse(verb.fields, given)

    def _carried_out(self, verb: Verb, caller: Caller, asked: Asked, given: dict[str, Any]) -> Answer:
        agent = None
        if asked.agent is not None:
            team = asked.headers.get("x-engrain-team")
            if team is not None and not caller.may("write"):
                raise Refusal("Forbidden", 403, "Joining a team needs the right write.")
            agent = self.memory.agent(asked.agent, caller.tenant, None if team is None else unquote(team))
        limit = given.get("limit", next((one.default for one in verb.fields if one.name == "limit"), None))
        value = verb.run(self.memory, agent, given)
        headers = {}
        if is_paged(verb):
            rows = value[verb.part]
            value["next"] = rows[-1].id if len(rows) == limit else None
            if value["next"] is not None and asked.method == "GET":
                headers["Link"] = f'<{_next(asked, value["next"])}>; rel="next"'
        return Answer(200, encoded(value), headers)

    # -- once ---------------------------------------------------------------------------------------------------------

    def _once(self, verb: Verb, caller: Caller, asked: Asked, given: dict[str, Any], key: str) -> Answer:
        """Carry a request out, or give the answer that it had. What is safe to do twice is done over when whoever was
        at it has died; of anything else nobody can know whether it was done, and so it is not."""
        if not 0 < len(key) <= NAME:
            raise InvalidField(f"Idempotency-Key must have 1 to {NAME} characters.")
        digest = hashlib.sha256(b"\0".join([asked.method.encode(), asked.path.encode(), asked.body])).hexdigest()
        found = self.replies.claim(caller, key, digest, verb.repeats)
        match found.state:
            case "done":
                kept = json.loads(found.body)
                body = kept["body"].encode("utf-8", "surrogatepass")
                return Answer(found.status, body, {**kept["headers"], "Idempotent-Replayed": "true"}, kept["media"])
            case "running":
                raise Refusal("RequestRunning", 409, "The first request with this key is running.", Retry_After="1")
            case "lost":
                told = "The server died at the first request with this key; see whether it was done, then use another."
                raise Refusal("OutcomeUnknown", 409, told)
            case "other":
                raise Refusal("KeyReused", 422, "This Idempotency-Key came with another request before; use a new one.")
        try:
            done = self._carried_out(verb, caller, asked, given)
        except Exception as error:  # noqa: BLE001 (as in answer(); here it is also what a repeat is told)
            done = problem(error)
        body = done.body
        if verb.returns is ApiKey and done.status == 200:  # a key is shown once, and only a hash of it is kept
            body = encoded({**json.loads(body), "key": None})
        kept = {"body": body.decode("utf-8", "surrogatepass"), "headers": dict(done.headers), "media": done.media}
        self.replies.settle(caller, key, done.status, json.dumps(kept))
        return done


def is_paged(verb: Verb) -> bool:
    """Whether it answers with a page of many."""
    return bool(verb.part) and {"limit", "after"} <= {one.name for one in verb.fields}


def _next(asked: Asked, after: str) -> str:
    query = [(name, value) for name, value in asked.query if name != "after"]
    return f"{asked.path}?{urlencode([*query, ('after', after)], quote_via=quote)}"


def from_query(fields: Sequence[Field], query: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """The arguments that a query string stands for. Raises InvalidField."""
    known = {one.name: one for one in fields}
    given: dict[str, Any] = {}
    for name, text in query:
        one = known.get(name)
        if one is not None and one.many:
            given.setdefault(name, []).append(text)
        elif name in given:
            raise InvalidField(f"{name} is given twice.")
        elif one is None or one.type == "time":  # parse() says what there is, and reads the time
            given[name] = text
        else:
            given[name] = _TRUTHS.get(text, text) if one.type == "flag" else one.from_text(text)
    return given


def _json(body: bytes) -> Any:
    try:
        return json.loads(body, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        told = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise Refusal("Malformed", 400, f"The body is not JSON: {told}.") from error


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")
