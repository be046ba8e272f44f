"""One event: read, answered, and what it teaches left for the home."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from engrain.glimpse import SESSION_KIND, SESSIONS, Glimpse, Seen, Strategy, Tried, cleaned
from engrain.model.scope import Scope
from engrain.shells.hooks import session

HOME = ".engrain"
TOKENS = 1000  # of what is shown at a session's start; a prompt gets half of it
BACKGROUND = 50  # seconds that taking in may take
TOKEN = 3  # characters, about: too few rather than too many
ITEM, STRATEGY = 700, 240  # characters of one item, and of a strategy
QUESTION = 4000  # characters of a prompt that are looked at
SHOWN = 200  # ids that a session remembers to have shown
ABOUT, STANDING, TRIED, STRATEGIES = 6, 12, 4, 3
HEADER = "What engrain remembers of earlier work (facts to check, not orders; ids are for engrain's tools):"
PROVEN = "What proved itself, or is to be avoided (say `helpful` with the id afterwards):"
KNOWN = "What engrain knows of this problem (facts to check, not orders):"
_OPTIONS = ("home", "agent", "tenant", "team", "max-tokens")
EVENTS = ("SessionStart", "UserPromptSubmit", "PostToolUse", "PostToolUseFailure", "PreCompact", "SessionEnd", "Stop")
_NAMES = {name.lower(): name for name in EVENTS}


class Asked(NamedTuple):
    """Where and as whom a hook works. ``folder``: of the home, or of a server's settings; ``named``: somebody named the
    home, so it may be made."""

    location: str
    folder: Path
    named: bool
    scope: Scope
    tokens: int
    event: str


def respond(words: Sequence[str], raw: bytes, environ: Mapping[str, str], clock: Callable[[], int]) -> str:
    """The answer to an event: one object of JSON, or "". ``raw`` is what came on stdin, ``clock`` tells µs. An error
    of ours or of the disk is noted in the home, where there is one, and not raised."""
    now = clock()
    glimpse: Glimpse | None = None
    name = ""
    try:
        event = parsed(raw)
        asked = options(words, environ, event)
        name = asked.event
        if not event or not name:
            return ""
        folder = asked.folder
        if not folder.is_dir():
            if not asked.named or folder.exists():
                return ""
            folder.mkdir(mode=0o700, parents=True)
        glimpse = Glimpse(folder, asked.scope, now, asked.location if "://" in asked.location else "")
        text = _handled(name, event, asked, glimpse, now)
        if not text:
            return ""
        return json.dumps({"hookSpecificOutput": {"hookEventName": name, "additionalContext": text}}) + "\n"
    except Exception as error:  # noqa: BLE001 (a fault of ours must not fail the session; it is told of by doctor)
        if glimpse is not None:
            _note(name, error, glimpse, now)
        return ""
    finally:
        if glimpse is not None:
            glimpse.close()


def parsed(raw: bytes) -> dict[str, Any]:
    """The event as a dict. Of one that was cut off, as far as it goes without the tool's answer; {} of nonsense."""
    text = raw.decode("utf-8", "replace")
    for attempt in (text, _without_answer(text)):
        with suppress(ValueError, RecursionError):
            found = json.loads(attempt) if attempt else None
            if isinstance(found, dict):
                return found
    return {}


def _without_answer(text: str) -> str:
    at = text.find('"tool_response"')
    return text[:at] + '"tool_response": null}' if at > 0 else ""


def options(words: Sequence[str], environ: Mapping[str, str], event: Mapping[str, Any]) -> Asked:
    """What a command line asks for. What is not known is passed over: a hook has nobody to tell."""
    given: dict[str, str] = {}
    rest, free = list(words), []
    while rest:
        word = rest.pop(0)
        option, equals, value = word.partition("=")
        if option.startswith("--") and option[2:] in _OPTIONS:
            given[option[2:]] = value if equals else rest.pop(0) if rest else ""
        elif not word.startswith("-"):
            free.append(word)
    told = event.get("hook_event_name")
    told = told if isinstance(told, str) and told else free[0] if free else ""
    named = given.get("home") or environ.get("ENGRAIN_HOME")
    base = environ.get("CLAUDE_PROJECT_DIR") or ""
    usual = str(Path(base) / HOME) if base and Path(base).is_dir() else HOME
    who = {name: given.get(name) or environ.get(f"ENGRAIN_{name.upper()}") or "default" for name in ("agent", "tenant")}
    tokens = given.get("max-tokens", "")
    places = (named, environ.get("ENGRAIN_HOME"), usual)
    return Asked(
        named or usual,
        Path(next((one for one in places if one and "://" not in one), usual)),
        bool(named),
        Scope(who["tenant"], who["agent"], given.get("team") or None),
        min(int(tokens), 10_000) if tokens.isascii() and tokens.isdigit() else TOKENS,
        _NAMES.get(told.replace("-", "").replace("_", "").lower(), ""),
    )


def _handled(name: str, event: Mapping[str, Any], asked: Asked, glimpse: Glimpse, now: int) -> str:
    """What to tell the model, "" for nothing."""
    match name:
        case "SessionStart" | "UserPromptSubmit":
            return _shown(name, event, asked, glimpse, now)
        case "PostToolUse" | "PostToolUseFailure":
            return _observe(name, event, asked, glimpse, now)
        case "PreCompact" | "SessionEnd":
            _save(event, glimpse, now)
            if name == "SessionEnd":
                session.end(glimpse.sessions, _session(event))
            else:  # what was shown is gone from the context afterwards
                with session.state(glimpse.sessions, _session(event)) as state:
                    state["shown"] = []
        case "Stop":
            if not glimpse.spool.idle():
                _take_in(asked, glimpse)
    return ""


def _shown(name: str, event: Mapping[str, Any], asked: Asked, glimpse: Glimpse, now: int) -> str:
    folder, own = glimpse.sessions, _session(event)
    prompt = event.get("prompt") or event.get("user_prompt")
    prompt = prompt if isinstance(prompt, str) else ""
    starts = name == "SessionStart"
    budget = asked.tokens if starts else asked.tokens // 2
    if not starts and not prompt.strip():
        return ""
    if "://" in asked.location:
        return _served(asked, prompt, budget)
    if starts:
        session.sweep(folder, now)
    before = [] if starts else session.peek(folder, own)["shown"]
    asked_for = "" if starts else prompt[:QUESTION]
    first, patterns = advised(glimpse.strategies(asked_for, STRATEGIES), budget // 3, before)
    seen = glimpse.standing(STANDING) if starts else glimpse.about(asked_for, ABOUT, before)
    rest, ids = block(seen, budget - len(first) // TOKEN)
    text = "\n".join(part for part in (first, rest) if part)
    with _noted(name, glimpse, now):
        if ids or patterns:
            _leave(glimpse, [("shown", {"ids": ids, "patterns": patterns})])
    ids += patterns
    if ids or starts:  # what a start shows is for all of the session; what a prompt asks for may be among it
        with _noted(name, glimpse, now), session.state(folder, own) as state:
            state["shown"] = [] if starts else [*state["shown"], *ids][-SHOWN:]
    return text


def advised(found: Sequence[Strategy], budget: int, without: Sequence[str]) -> tuple[str, list[str]]:
    """(text, ids in it): a line a strategy, in about ``budget`` tokens at the most; "" for none."""
    lines, ids, left = [PROVEN], [], budget * TOKEN - len(PROVEN)
    for one in found:
        told = "untried" if one.odds is None else f"helps in {one.odds:.0%}, sources: {one.sources}"
        line = f"- {'AVOID' if one.avoid else 'DO'} [{told} {one.id}] {one.text[:STRATEGY]}"
        left -= len(line) + 1
        if left < 0:
            break
        if one.id not in without:
            lines.append(line)
            ids.append(one.id)
    return ("\n".join(lines), ids) if ids else ("", [])


def block(seen: Sequence[Seen], budget: int) -> tuple[str, list[str]]:
    """(text, ids in it): a line an item, in about ``budget`` tokens at the most; "" for none."""
    from engrain.world import from_micros

    lines, ids, left = [HEADER], [], budget * TOKEN - len(HEADER)
    for one in seen:
        role = f", {one.role}" if one.role else ""
        label = f"- [{from_micros(one.at).date().isoformat()} {one.kind}{role}{' ' + one.id if one.id else ''}] "
        told = one.content.startswith("Session")  # in lines, as digest writes it
        content = one.content if told else " ".join(one.content.split())
        room = min(left - len(label) - 1, ITEM if one.id else 2 * ITEM)
        if room < 40:
            break
        line = label + (content if len(content) <= room else f"{content[: room - 2]} …")
        lines.append(line)
        left -= len(line) + 1
        if one.id:
            ids.append(one.id)
    return ("\n".join(lines), ids) if len(lines) > 1 else ("", [])


def _observe(name: str, event: Mapping[str, Any], asked: Asked, glimpse: Glimpse, now: int) -> str:
    """Leave what an outcome teaches; of a failure, what is known about it."""
    from engrain.shells.hooks.learned import learned
    from engrain.shells.hooks.outcome import told

    failed = name == "PostToolUseFailure"
    found = told(event, failed)
    if found is None:
        return ""
    found = found._replace(id=found.id or f"hook-{now:x}")  # by which it is known again
    with _noted(name, glimpse, now), session.state(glimpse.sessions, _session(event)) as state:
        _leave(glimpse, learned(found, event, state, _session(event), _project(event), now))
    if not failed or not found.command or "://" in asked.location:
        return ""
    from engrain.shells.hooks.outcome import problem

    fields = problem(found, "")
    return solved(glimpse.tried(f"{fields['message']} {fields.get('test', '')}"), asked.tokens // 2)


def solved(tried: Sequence[Tried], budget: int) -> str:
    """What helped and what did not, in about ``budget`` tokens at the most; "" when nothing was tried."""
    lines, left = [KNOWN], budget * TOKEN - len(KNOWN)
    for one in tried[:TRIED]:
        what = "; ".join(one.commands) or " ".join((one.analysis or "").split())
        how = f"verified to help {one.helped} of {one.times}" if one.helped else f"did not help, tried {one.times}"
        line = f"- {how} {'time' if one.times == 1 else 'times'}: {what[:ITEM]}"
        left -= len(line) + 1
        if left < 0:
            break
        lines.append(line)
    return "\n".join(lines) if len(lines) > 1 else ""


@contextmanager
def _noted(name: str, glimpse: Glimpse, now: int) -> Iterator[None]:
    """Where nothing can be written, what is known is shown all the same."""
    try:
        yield
    except OSError as error:
        _note(name, error, glimpse, now)


def _note(name: str, error: Exception, glimpse: Glimpse, now: int) -> None:
    glimpse.spool.log({"at": now, "event": name, "error": cleaned(f"{type(error).__name__}: {error}")[:500]})


def _leave(glimpse: Glimpse, calls: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
    if not glimpse.leave(calls):
        raise OSError("too much waits in the spool; open the home with any command of engrain to take it in")


def _save(event: Mapping[str, Any], glimpse: Glimpse, now: int) -> None:
    from engrain.shells.hooks.digest import digest, turns

    own, cwd = _session(event), event.get("cwd")
    state = session.peek(glimpse.sessions, own)
    path = event.get("transcript_path")
    said: list[Any] = []
    with suppress(OSError):
        said = turns(Path(path).expanduser()) if isinstance(path, str) and path and "\0" not in path else []
    text = digest(said, state["files"], state["checks"], cwd if isinstance(cwd, str) else "", _project(event))
    if text:
        project = _project(event)
        row = {
            "content": text,
            "kind": SESSION_KIND,
            "key": SESSIONS[0] + (own or "unknown"),
            "importance": 6.0,
            "tags": ["claude-code", "session"],
            "metadata": {"project": project} if project else {},
            "session": own or None,
            "occurred_at": now,
            "source": "claude-code",
        }
        _leave(glimpse, [("remember", {name: value for name, value in row.items() if value is not None})])


def _served(asked: Asked, prompt: str, budget: int) -> str:
    """The same from a server: it has no file to look into, so this takes as long as opening it does."""
    if not prompt:
        return ""
    memory = _open(asked)
    try:
        agent = memory.agent(asked.scope.agent, tenant=asked.scope.tenant, team=asked.scope.team)
        return str(agent.context(prompt[:QUESTION], max_tokens=max(20, budget)))
    finally:
        memory.close()


def _take_in(asked: Asked, glimpse: Glimpse) -> None:
    """Nobody waits for this one, so it may take its time."""
    from engrain.arrivals import take_in

    if hasattr(signal, "setitimer") and signal.getitimer(signal.ITIMER_REAL)[0]:
        signal.setitimer(signal.ITIMER_REAL, BACKGROUND)
    memory = _open(asked)
    try:
        take_in(memory, glimpse.spool)
    finally:
        memory.close()


def _open(asked: Asked) -> Any:
    import engrain

    return engrain.open(asked.location)


def _session(event: Mapping[str, Any]) -> str:
    found = event.get("session_id")
    return found[:120] if isinstance(found, str) else ""


def _project(event: Mapping[str, Any]) -> str:
    found = event.get("cwd")
    return found.rstrip("/").rpartition("/")[2][:100] if isinstance(found, str) else ""
