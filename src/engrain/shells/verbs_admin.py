"""The verbs of a home's owner."""

from __future__ import annotations

from typing import Any

from engrain.model.run import HealthReport
from engrain.shells import calls
from engrain.shells.fields import Field
from engrain.shells.verb import LOCAL, Verb

ROLE = Field("role", "text", "One role, as roles lists them; left out: all.", None, positional=True)

ADMIN: tuple[Verb, ...] = (
    Verb("stats", "What is in the home, in numbers.", (), dict[str, Any], admin=True, reads=True),
    Verb("agents", "Every agent that has written.", (), calls.Agents, part="agents", admin=True, reads=True),
    Verb(
        "doctor",
        "Is the home all right? Exit code 1 when it is not.",
        (Field("canary", "flag", "Also prove, in a throw-away tenant, that outcomes change later decisions.", False),),
        calls.Examination,
        call=calls.doctor,
        shells=LOCAL,
        admin=True,
        repeats=True,
        no="ok",
    ),
    Verb(
        "rebuild",
        "Make words and vectors anew while others work: what is stale, as with another embedder, or else everything.",
        (),
        dict[str, int],
        shells=LOCAL,
        admin=True,
        repeats=True,
        progress=True,
    ),
    Verb(
        "backup",
        "A verified copy of the store, made while others work.",
        (Field("path", "text", "The file to make; it must not exist.", positional=True),),
        dict[str, str],
        call=calls.backup,
        shells=LOCAL,
        admin=True,
    ),
    Verb(
        "tick",
        "Do what is due: expire, fade, archive, promote, prune, measure, report. Exit code 1 when a role failed.",
        (
            Field("roles", "words", "Only these, whether they are due or not.", None, option="--role"),
            Field("dry_run", "flag", "Tell what would be done, and do nothing.", False),
        ),
        calls.Ticked,
        part="runs",
        call=calls.tick,
        admin=True,
        destroys=True,
        no="ok",
    ),
    Verb(
        "roles",
        "Background roles: when each is due, and how it fares.",
        (),
        calls.Roles,
        part="roles",
        admin=True,
        reads=True,
    ),
    Verb(
        "runs",
        "What was run in the background lately, the latest first.",
        (
            Field("role", "text", "Only this role.", None),
            Field("limit", "integer", "At most so many.", 20),
        ),
        calls.Runs,
        part="runs",
        admin=True,
        reads=True,
    ),
    Verb("pause", "Pause a background role, or all.", (ROLE,), calls.Roles, part="roles", admin=True, repeats=True),
    Verb("resume", "Let a paused role, or all, go on.", (ROLE,), calls.Roles, part="roles", admin=True, repeats=True),
    Verb(
        "lifecycle",
        "Whether memories age here: expire, fade, are archived and pruned; and the switch for it.",
        (Field("on", "flag", "Switch it on or off; left out: only say.", None, option="--on/--off"),),
        calls.Switch,
        part="on",
        admin=True,
        repeats=True,
    ),
    Verb(
        "metrics",
        "Daily figures of memories: how many, how important, used, expired, archived, promoted.",
        (
            Field("days", "integer", "So many days that are over.", 30),
            Field("tenant", "text", "Only of this tenant.", None),
            Field("agent", "text", "Only of this agent.", None),
        ),
        dict[str, Any],
        admin=True,
        reads=True,
    ),
    Verb(
        "report",
        "How the home fared in the last week, as Markdown or a page of HTML.",
        (Field("last", "flag", "The latest weekly one that was kept, instead of a new one.", False),),
        HealthReport,
        shells=frozenset({"rest"}),
        admin=True,
        reads=True,
    ),
    Verb(
        "alerts",
        "What somebody should look at.",
        (Field("settled", "flag", "Also what was over in the last 30 days.", False),),
        calls.Alerts,
        part="alerts",
        admin=True,
        reads=True,
    ),
)
