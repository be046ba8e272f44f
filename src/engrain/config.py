"""Settings: defaults < engrain.toml < ENGRAIN_* variables < arguments. Read once, at open."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from engrain.errors import ConfigError
from engrain.world import span_of

FILE = "engrain.toml"
MINUTE = 60_000_000  # µs
MOST_DISCOUNT = 0.9999  # a horizon of 10,000 decisions
QUOTAS = ("quota_agent_items", "quota_agent_bytes", "quota_tenant_items", "quota_tenant_bytes")


@dataclass(frozen=True, slots=True)
class Config:
    """Every setting with its default. ``engrain.toml`` in the home has the same names; so has ENGRAIN_REDACT=false."""

    embedder: str = field(default="static", metadata={"help": "static, hash, onnx:PATH or openai:MODEL"})
    redact: bool = field(default=True, metadata={"help": "cut secrets out of what is stored"})
    echo_minutes: float = field(
        default=60.0, metadata={"help": "what was shown this lately is linked, not stored again"}
    )
    kinds: tuple[str, ...] = field(default=(), metadata={"help": "further kinds of memory for this project"})
    synchronous: str = field(default="FULL", metadata={"help": "FULL (default) or NORMAL: may lose the last commits"})
    busy_seconds: float = field(default=60.0, metadata={"help": "how long a write waits for other processes"})
    cache_rows: int = field(default=500_000, metadata={"help": "passages kept in memory over all scopes"})
    quota_agent_items: int = field(default=0, metadata={"help": "active memories that an agent may have; 0: any"})
    quota_agent_bytes: int = field(default=0, metadata={"help": "bytes of content (UTF-8) that they may have; 0: any"})
    quota_tenant_items: int = field(default=0, metadata={"help": "active memories of all of a tenant's agents; 0: any"})
    quota_tenant_bytes: int = field(default=0, metadata={"help": "bytes of content of all of them; 0: any"})
    exploration: str = field(default="thompson", metadata={"help": "thompson, ucb or epsilon"})
    explore_floor: float = field(
        default=0.01, metadata={"help": "ε: each of k options that may be the best keeps at least ε/k"}
    )
    costly: tuple[str, ...] = field(default=(), metadata={"help": "task types whose failures cost much"})
    explore_cap: float = field(
        default=0.05, metadata={"help": "at most so much for all options but the best together, in costly task types"}
    )
    every_learn: str = field(default="1d", metadata={"help": "how often a dream learns from what has come in"})
    dream_outcomes: int = field(default=100, metadata={"help": "new outcomes, after which it does not wait so long"})
    dream_steps: int = field(default=1000, metadata={"help": "trainings and evaluations in one run of a dream"})
    shadow_days: float = field(
        default=0.0, metadata={"help": "for which a policy that passed is judged on new outcomes before it advises"}
    )
    discount: float = field(default=0.95, metadata={"help": "what a reward one decision later is worth in planning"})
    discounts: tuple[str, ...] = field(default=(), metadata={"help": "the same for single task types: TASK=0.99"})
    every_patterns: str = field(default="1d", metadata={"help": "how often patterns are looked for and put in order"})
    every_expire: str = field(default="15m", metadata={"help": "how often what is past its expiry is archived"})
    every_decay: str = field(default="1d", metadata={"help": "how often importance is let fade"})
    every_archive: str = field(default="1d", metadata={"help": "how often what faded is archived"})
    every_promote: str = field(default="1d", metadata={"help": "how often what proved itself is promoted"})
    every_prune: str = field(default="7d", metadata={"help": "how often what was archived long ago is deleted"})
    every_report: str = field(default="7d", metadata={"help": "how often a health report is kept"})
    every_compact: str = field(default="1d", metadata={"help": "how often the archive's files are put in order"})
    every_backup: str = field(default="1d", metadata={"help": "how often an embedded store is copied to backups/"})
    keep_backups: int = field(default=7, metadata={"help": "copies that are kept; 0: none is made"})
    role_minutes: float = field(default=60.0, metadata={"help": "for which a background role may run at most"})
    archive: str = field(
        default="archive",
        metadata={"help": "the cold archive: a folder (from the home), s3://, gs:// or az://; none: in the store"},
    )
    experience_days: float = field(default=30.0, metadata={"help": "settled, before an experience is archived"})
    vacuum_days: float = field(default=7.0, metadata={"help": "the archive's replaced files are kept for readers"})
    query_seconds: float = field(default=30.0, metadata={"help": "for which SQL over the archive may run"})
    query_megabytes: int = field(default=512, metadata={"help": "of memory that it may use"})
    alert_items: int = field(default=10_000, metadata={"help": "an agent with more memories raises an alert"})
    silent_days: float = field(
        default=7.0, metadata={"help": "for which a stage of learning may be silent, before it raises an alert"}
    )
    lifecycle_policy: str = field(
        default="importance", metadata={"help": "what is let go of: importance, utility or stability"}
    )
    floor_days: float = field(default=90.0, metadata={"help": "unused at the lowest importance, before it is let go"})
    pending_days: float = field(default=14.0, metadata={"help": "announced (pending_decay), before it is archived"})
    superseded_days: float = field(default=90.0, metadata={"help": "after which an older version is archived"})
    restore_days: float = field(default=30.0, metadata={"help": "for which what was restored is spared"})
    prune_days: float = field(default=90.0, metadata={"help": "archived, before it is deleted"})
    fix_days: float = field(default=180.0, metadata={"help": "the texts of attempts to fix something are kept"})
    verified_fix_days: float = field(default=1095.0, metadata={"help": "those of verified solutions"})
    keep_importance: float = field(default=8.0, metadata={"help": "what is so important is not deleted"})
    keep_cap: int = field(default=1000, metadata={"help": "but for what an agent has beyond so many of them"})
    requests_per_minute: int = field(
        default=0, metadata={"help": "of each key and each agent, at most so many over HTTP; 0: any number"}
    )
    request_bytes: int = field(default=16 << 20, metadata={"help": "the largest body of a request over HTTP"})


def load(home: Path | None, overrides: Mapping[str, Any], environ: Mapping[str, str] = os.environ) -> Config:
    """Merge the sources. Unknown names and values of the wrong type are ConfigError: a typo must not be a default."""
    known = {f.name: f for f in fields(Config)}
    values: dict[str, Any] = {}
    path = home / FILE if home is not None else None
    if path is not None:
        for name, value in _read(path).items():
            if name not in known:
                raise ConfigError(f"{path} has {name!r}; known settings are {', '.join(sorted(known))}.")
            values[name] = _checked(name, value, str(path))
    for name in known:
        text = environ.get(f"ENGRAIN_{name.upper()}")
        if text is not None:
            values[name] = _checked(name, _parse(name, text), f"ENGRAIN_{name.upper()}")
    for name, value in overrides.items():
        if name not in known:
            raise ConfigError(f"open() has no setting {name!r}; known settings are {', '.join(sorted(known))}.")
        if value is not None:
            values[name] = _checked(name, value, "open()")
    return Config(**values)


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (UnicodeDecodeError, OSError) as error:
        raise ConfigError(f"{path}: {error}.") from error
    import tomllib  # most homes have no such file, and a short command should not pay for it

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: {error}.") from error


_TYPES: dict[str, Any] = {one.name: type(one.default) for one in fields(Config)}
_CHOICES: dict[str, tuple[str, ...]] = {
    "synchronous": ("FULL", "NORMAL"),
    "exploration": ("thompson", "ucb", "epsilon"),
    "lifecycle_policy": ("importance", "utility", "stability"),
}
_RANGES = {
    "echo_minutes": (0.0, 1e9),
    "busy_seconds": (0.0, 3600.0),
    "cache_rows": (1000, 10**9),
    **dict.fromkeys(QUOTAS, (0, 10**15)),
    **dict.fromkeys(("explore_floor", "explore_cap"), (0.0, 1.0)),
    "discount": (0.0, MOST_DISCOUNT),
    "alert_items": (1, 10**9),
    **dict.fromkeys(("floor_days", "pending_days", "superseded_days", "restore_days", "prune_days"), (0.0, 36_500.0)),
    **dict.fromkeys(("fix_days", "verified_fix_days"), (0.0, 36_500.0)),
    "keep_importance": (1.0, 10.0),
    "keep_backups": (0, 10_000),
    "silent_days": (0.01, 3650.0),
    "role_minutes": (0.01, 1440.0),
    **dict.fromkeys(("experience_days", "vacuum_days"), (0.0, 36_500.0)),
    "query_seconds": (0.1, 86_400.0),
    "query_megabytes": (64, 1 << 20),
    "keep_cap": (0, 10**9),
    "dream_outcomes": (1, 10**9),
    "dream_steps": (1, 10**9),
    "shadow_days": (0.0, 3650.0),
    "requests_per_minute": (0, 10**9),
    "request_bytes": (1024, 1 << 30),
}


def _parse(name: str, text: str) -> Any:
    kind = _TYPES[name]
    if kind is bool:
        lowered = text.strip().lower()
        return {
            "1": True,
            "true": True,
            "yes": True,
            "on": True,
            "0": False,
            "false": False,
            "no": False,
            "off": False,
        }.get(lowered, text)
    if kind is tuple:
        return [part.strip() for part in text.split(",") if part.strip()]
    if kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            return text
    return text


def _checked(name: str, given: Any, where: str) -> Any:
    kind = _TYPES[name]
    value: Any = given
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if kind is tuple and isinstance(value, list):
        value = tuple(value)
    if name == "synchronous" and isinstance(value, str):
        value = value.upper()
    if kind is not type(value):
        raise ConfigError(f"{where}: {name} must be {kind.__name__}, not {value!r}.")
    if name in _CHOICES and value not in _CHOICES[name]:
        raise ConfigError(f"{where}: {name} must be one of {', '.join(_CHOICES[name])}, not {value!r}.")
    if name in _RANGES and not _RANGES[name][0] <= value <= _RANGES[name][1]:
        raise ConfigError(f"{where}: {name} must lie in {_RANGES[name][0]}..{_RANGES[name][1]}, not {value!r}.")
    if name.startswith("every_") and not MINUTE <= (span_of(value) or 0) <= 3650 * 1440 * MINUTE:
        raise ConfigError(f'{where}: {name} must be a span of 1m to 3650d, such as "15m" or "1d", not {value!r}.')
    if name == "archive" and not value.strip():
        raise ConfigError(f"{where}: archive must be a folder, a URL or none.")
    if kind is tuple and not all(isinstance(part, str) and part for part in value):
        raise ConfigError(f"{where}: {name} must be a list of names, not {value!r}.")
    if name == "discounts":
        for part in value:
            _discount(part, where)
    return value


def _discount(part: str, where: str) -> tuple[str, float]:
    """A task type and its discount, from ``TASK=0.99``."""
    task_type, sign, text = part.rpartition("=")
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    if not sign or not task_type.strip() or not 0.0 <= found <= MOST_DISCOUNT:
        raise ConfigError(f"{where}: discounts must be TASK=NUMBER with a number in 0..{MOST_DISCOUNT}, not {part!r}.")
    return task_type.strip(), found


def discount_of(config: Config, task_type: str) -> float:
    """What a reward one decision later is worth in a task type; the last of several settings counts."""
    return dict(_discount(part, "discounts") for part in config.discounts).get(task_type, config.discount)
