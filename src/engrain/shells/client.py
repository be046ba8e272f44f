"""The typed client: Memory and Agent over HTTP. Its methods are those of the facade that the table of verbs carries."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, fields, is_dataclass
from datetime import datetime, timedelta
from functools import cache, wraps
from pathlib import Path
from types import NoneType, TracebackType
from typing import TYPE_CHECKING, Any, Self, get_args, get_origin, get_type_hints
from urllib.parse import quote

from engrain.agent import Agent, KeyValue
from engrain.agent.fixes import facts_of
from engrain.arrivals import take_in
from engrain.cold import ColdArchive
from engrain.errors import NotFound, ServiceError, UnknownPolicy
from engrain.memory import HOME, Memory
from engrain.model.decision import Advice, Outcome
from engrain.model.event import Event
from engrain.model.item import MemoryItem
from engrain.model.pattern import ANY, Step
from engrain.model.scope import Scope
from engrain.shells.calls import Rows
from engrain.shells.connection import Connection
from engrain.shells.verb import Verb
from engrain.shells.verbs import verbs_of
from engrain.spool import Spool
from engrain.world import RealWorld, World

if TYPE_CHECKING:  # to whoever reads types these are what they stand for; nothing of those is inherited
    _Agent = Agent
    _KeyValue = KeyValue
    _Memory = Memory
    _ColdArchive = ColdArchive
else:
    _Agent = _KeyValue = _Memory = _ColdArchive = object

_MICROSECOND = timedelta(microseconds=1)


class RemoteKeyValue(_KeyValue):
    """One namespace of one agent of a service."""

    def __init__(self, agent: RemoteAgent, namespace: str) -> None:
        self._agent = agent
        self._namespace = namespace

    def _ask(self, verb: Verb, body: dict[str, Any]) -> Any:
        return self._agent._ask(verb, {**body, "namespace": self._namespace})


class RemoteArchive(_ColdArchive):
    """The cold archive of a service."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def _ask(self, verb: Verb, body: dict[str, Any]) -> Any:
        return self._client._ask(verb, body)


class RemoteAgent(_Agent):
    """One agent's scope of a service, with the verbs of ``engrain.Agent``. Made by ``client.agent(name)``."""

    def __init__(self, client: Client, scope: Scope) -> None:
        self._client = client
        self.scope = scope

    def __repr__(self) -> str:
        return f"RemoteAgent({self.scope.agent!r}, tenant={self.scope.tenant!r})"

    @property
    def world(self) -> World:
        """The clock and the ids of the client."""
        return self._client.world

    def kv(self, namespace: str = "default") -> KeyValue:
        """A key-value namespace of this agent: set, get, has, search, delete, with time to live."""
        return RemoteKeyValue(self, namespace)

    def _ask(self, verb: Verb, body: dict[str, Any], **headers: str) -> Any:
        path = f"v1/agents/{quote(self.scope.agent, safe='').replace('.', '%2E')}/{verb.name.replace(' ', '/')}"
        return self._client._send(verb, path, body, self.scope.tenant, **headers)


class Client(_Memory):
    """The memory of a service: ``engrain serve`` somewhere else. Its values and errors are those of an embedded one;
    what names a file of the service's machine is not offered. Threads may share it.

    ``key`` is what ``engrain keys create`` made (or ``ENGRAIN_KEY``). ``tenant`` is needed only where the key does not
    say it. Each attempt may take ``timeout`` seconds; what fails on the way, or because the service is busy or starts
    anew, is tried again for ``patience`` seconds, and a write that was done is not done twice.
    """

    excerpt = Memory.excerpt  # of a text; it needs nothing of a home

    def __init__(
        self,
        url: str,
        *,
        key: str | None = None,
        tenant: str = "default",
        timeout: float = 60.0,
        patience: float = 10.0,
        world: World | None = None,
    ) -> None:
        self.world = world or RealWorld()
        self._tenant = tenant
        self._url = url
        key = os.environ.get("ENGRAIN_KEY") if key is None else key
        self._connection = Connection(url, key, self.world, timeout, patience)

    def __repr__(self) -> str:
        return f"Client({self._url!r}, tenant={self._tenant!r})"

    def agent(self, name: str, tenant: str = "default", team: str | None = None) -> Agent:
        """The scope of one agent, of the client's tenant unless another is named. A team is joined at once."""
        found = RemoteAgent(self, Scope(tenant if tenant != "default" else self._tenant, name, team))
        if team is not None:
            found._ask(_COUNT, {}, **{"X-Engrain-Team": quote(team)})
        return found

    def take_in(self) -> int:
        """As ``Memory.take_in``, of what hooks have left for this service in the folder of settings here."""
        usual = os.environ.get("ENGRAIN_HOME") or HOME
        return take_in(self, Spool(Path(HOME if "://" in usual else usual), self._url))

    @property
    def archive(self) -> ColdArchive:
        """The cold archive of the service."""
        return RemoteArchive(self)

    def events(self, agent: str | None = None, after: str | None = None) -> Iterator[Event]:
        """What happens to memories from now on, of one agent or of all that the key is for. A connection that is lost
        is taken up again, and nothing is left out. ``after``: go on after the event of that id. Raises StoreUnavailable
        when the service stays away."""
        query = {name: value for name, value in (("agent", agent), ("after", after)) if value is not None}
        for event in self._connection.events(query, self._headers(self._tenant)):
            yield _object(Event, event)

    def close(self) -> None:
        """Let the connections go. Closing twice is harmless."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ask(self, verb: Verb, body: dict[str, Any]) -> Any:
        return self._send(
            verb, f"v1/{verb.name.replace(' ', '/')}", body, "default"
        )  # of the home, or as the body says

    def _send(self, verb: Verb, path: str, body: dict[str, Any], tenant: str, **headers: str) -> Any:
        return self._connection.ask(path, body, {**self._headers(tenant), **headers}, writes=not verb.reads)

    @staticmethod
    def _headers(tenant: str) -> dict[str, str]:
        return {} if tenant == "default" else {"X-Engrain-Tenant": quote(tenant)}


_REMOTE: dict[str, tuple[type, type]] = {
    "Agent": (Agent, RemoteAgent),
    "KeyValue": (KeyValue, RemoteKeyValue),
    "Memory": (Memory, Client),
    "ColdArchive": (ColdArchive, RemoteArchive),
}
_COUNT = next(verb for verb in verbs_of("rest") if verb.name == "count")


def _carry() -> None:
    """Give the remote classes the facade's methods: those that the service carries, and a refusal of the others."""
    for facade, remote in _REMOTE.values():
        for name, original in inspect.getmembers(facade, inspect.isfunction):
            if not name.startswith("_") and name not in vars(remote):
                setattr(remote, name, _refused(original))
    carried: dict[str, list[Verb]] = {}
    for verb in verbs_of("rest"):
        carried.setdefault(verb.method, []).append(verb)
    for method, verbs in carried.items():
        owner, _, name = method.partition(".")
        facade, remote = _REMOTE[owner]
        if not hasattr(facade, name):
            continue
        original, verb = getattr(facade, name), verbs[0]
        if verb.returns is Rows:  # whose types JSON does not tell
            path = ("" if verb.admin else "agents/AGENT/") + verb.name.replace(" ", "/")
            setattr(remote, name, _refused(original, f"is POST /v1/{path} over HTTP, not of the client"))
        else:
            setattr(remote, name, _carried(verbs, original))


def _refused(original: Callable[..., Any], why: str = "is not offered over HTTP") -> Callable[..., Any]:
    @wraps(original)
    def refuse(*_: Any, **__: Any) -> Any:
        raise ServiceError(f"{original.__name__}() {why}; use it where the home is.")

    return refuse


def _carried(verbs: Sequence[Verb], original: Callable[..., Any]) -> Callable[..., Any]:
    """The facade's method, done by the service: the same arguments, value and errors. Of several verbs that stand for
    it (a listing and a search) the one that most of what was given goes with."""
    signature = inspect.signature(original)
    fields = {field.name for verb in verbs for field in verb.fields}
    anything = {field.name for verb in verbs for field in verb.fields if ANY in field.choices}

    @wraps(original)
    def carry(self: Any, *args: Any, **kwargs: Any) -> Any:
        given = signature.bind(self, *args, **kwargs).arguments
        given.pop("self")
        default = given.pop("default", None) if "default" not in fields else None
        kind = _hints(original)["return"]
        body = {**_body(given), **{name: ANY for name, value in given.items() if value is None and name in anything}}
        verb = _meant(verbs, body)
        try:
            answer = self._ask(verb, body)
        except UnknownPolicy:
            raise  # None would be an answer: the online learner advises
        except NotFound:
            if "default" not in signature.parameters and NoneType not in get_args(kind):
                raise
            return default
        try:
            return _built(kind, answer[verb.part] if verb.part else answer)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ServiceError(f"The service answers what this engrain does not understand: {error!r}.") from error

    return carry


def _meant(verbs: Sequence[Verb], body: Mapping[str, Any]) -> Verb:
    """The verb that lacks nothing of what it needs, and takes most of what is sent."""

    def fits(verb: Verb) -> tuple[bool, int]:
        named = {field.name for field in verb.fields}
        return all(one.name in body for one in verb.fields if one.required), len(named & set(body))

    return max(verbs, key=fits)


def _body(given: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON object that arguments are sent as. Nothing is sent for None, which is what is taken for it; where that
    is a change, the field is emptied."""
    body: dict[str, Any] = {}
    for name, value in given.items():
        if name == "change":  # update(id, **change)
            body |= _body(value)
            body |= {"clear": cleared} if (cleared := [one for one in value if value[one] is None]) else {}
        elif isinstance(value, Outcome):
            body |= _body(asdict(value))
        elif name == "outcome" and isinstance(value, Mapping):
            body |= _body(value)
        elif name == "problem":
            flat = facts_of(value)
            body |= {"problem": flat.pop("message"), **_body(flat)}
        elif name == "commands" and isinstance(value, str):
            body[name] = [value]
        elif name == "steps" and not isinstance(value, str | bytes | Mapping):
            body[name] = [_step(one) for one in value]
        elif name == "rows":
            body[name] = [_body(row) if isinstance(row, Mapping) else row for row in value]
        elif isinstance(value, Advice):
            body["decision_id"] = value.decision_id
        elif value is not None or name == "value":  # of a key
            body["decision_id" if name == "advice" else name] = _sent(value)
    return body


def _step(given: Any) -> Any:
    if isinstance(given, str):
        return {"action": given}
    return {field.name: getattr(given, field.name) for field in fields(given)} if isinstance(given, Step) else given


def _sent(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return f"{value // _MICROSECOND / 1e6:.6f}s"
    return value.id if isinstance(value, MemoryItem) else value


def _built(kind: Any, value: Any) -> Any:
    """The value of a type that an answer in JSON stands for: dataclasses, times and tuples again."""
    origin, parts = get_origin(kind), get_args(kind)
    if value is None or kind is NoneType:
        return None
    if NoneType in parts:
        return _built(next(one for one in parts if one is not NoneType), value)
    if is_dataclass(kind):
        return _object(kind, value)
    if origin is tuple:
        kinds = parts[:1] * len(value) if Ellipsis in parts else parts
        return tuple(_built(part, one) for part, one in zip(kinds, value, strict=True))
    if origin in (list, Sequence):
        return [_built(parts[0], one) for one in value]
    if origin in (dict, Mapping):
        return {name: _built(parts[1], one) for name, one in value.items()}
    if kind is bool:
        return bool(int(value))
    return datetime.fromisoformat(value) if kind is datetime else float(value) if kind is float else value


def _object(kind: Any, value: Mapping[str, Any]) -> Any:
    hints = _hints(kind)  # a field that is none of these is of a newer service
    return kind(**{name: _built(hints[name], part) for name, part in value.items() if name in hints})


_hints = cache(get_type_hints)
_carry()
