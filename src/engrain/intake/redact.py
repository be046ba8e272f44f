"""Find secrets in text and take them out before anything is stored.

The rules are data: `secrets.json`, made by `scripts/update_secret_rules.py`. A rule is tried only where one of its
keywords occurs, and compiled when first tried, so ordinary text costs a few substring searches; most keywords are only
looked for in words as long as a token. What a rule finds must then look like a secret: enough entropy (Shannon, bits
per character), enough digits, no placeholder, no expression.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from engrain.errors import InvalidField

TOKEN_LENGTH = 20  # characters; whatever a `run` rule matches is at least as long
NESTED_LENGTH = 1024  # characters; refused values up to this long are searched again, which keeps the work linear
SHORT = 64  # characters
_ROOM = 1 << 16  # words
_MARKER = re.compile(r"(\[redacted:[a-z0-9-]+\])")


@dataclass(frozen=True, slots=True)
class Redacted:
    """`text` without its secrets, and the ids of the rules that found some: unique, in order of appearance."""

    text: str
    rules: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of `secrets.json`.

    `group` is the part that is secret. A `loose` rule knows where a secret stands, not what it looks like. What a `run`
    rule matches has no whitespace in it and is at least `TOKEN_LENGTH` characters long, keyword included.
    """

    id: str
    regex: str
    keywords: tuple[str, ...]
    origin: str
    group: int = 0
    entropy: float = 0.0
    digits: int = 0
    loose: bool = False
    run: bool = False


@dataclass(frozen=True, slots=True)
class RuleSet:
    """The rules, most specific first, and for each keyword the rules that wait for it, as indexes.

    `run_keywords` are sought in long words only, `keywords` everywhere.
    """

    rules: tuple[Rule, ...]
    keywords: tuple[tuple[str, tuple[int, ...]], ...]
    run_keywords: tuple[tuple[str, tuple[int, ...]], ...]
    placeholder: re.Pattern[str]
    expression: re.Pattern[str]


def redact(text: str) -> Redacted:
    """Replace every secret in `text` with "[redacted:RULE-ID]".

    Text without a secret comes back as the same object. Redacting twice is the same as once: markers are never
    searched, and what lies between them is searched until nothing more is found in it.
    """
    if harmless(text.split()):
        return Redacted(text)
    pieces = _MARKER.split(text)
    found: list[str] = []
    for index in range(0, len(pieces), 2):  # odd pieces are markers
        pieces[index] = _redact_piece(pieces[index], found)
    return Redacted("".join(pieces), tuple(dict.fromkeys(found))) if found else Redacted(text)


def redact_value(value: Any) -> tuple[Any, tuple[str, ...]]:
    """`redact` for every string of a JSON-able value, keys included; returns the value and the rule ids.

    A string under a telling key ({"password": "..."}) is judged as the assignment that it is. A value without a secret
    comes back as the same object. Keys that become equal are numbered, so that no entry is lost.
    """
    found: list[str] = []
    clean = _walk(value, found)
    return (clean, tuple(dict.fromkeys(found))) if found else (value, ())


def refuse_secret(name: str, value: object) -> None:
    """Raise InvalidField when a name holds what looks like a secret: cutting it out would change what it names."""
    if isinstance(value, str) and (rules := _judged(value).rules):
        raise InvalidField(f"{name} holds what looks like a secret ({rules[0]}); use another name.")


def _judged(text: str) -> Redacted:
    return _short(text) if len(text) <= SHORT else redact(text)


def _walk(value: Any, found: list[str]) -> Any:
    if isinstance(value, str):
        return _text(value, found)
    if isinstance(value, (dict, Mapping)):
        clean: dict[Any, Any] = {}
        for key, inner in value.items():
            pair = isinstance(key, str) and isinstance(inner, str)
            if pair and key not in clean and harmless(f'{key}="{inner}"'.split()):
                clean[key] = inner  # harmless together, so each alone
                continue
            name = _text(key, found) if isinstance(key, str) else key
            if name in clean:
                name = next(new for n in range(2, len(value) + 2) if (new := f"{name} ({n})") not in clean)
            clean[name] = _under_key(name, inner, found) if pair else _walk(inner, found)
        return clean
    if isinstance(value, list | tuple | set | frozenset):
        return [
            _walk(inner, found) for inner in (sorted(value, key=str) if isinstance(value, set | frozenset) else value)
        ]
    return value


def _text(text: str, found: list[str]) -> str:
    result = _judged(text)
    found.extend(result.rules)
    return result.text


_short = lru_cache(maxsize=4096)(redact)  # names of features and fields come again and again


def _under_key(key: str, value: str, found: list[str]) -> str:
    prefix = f'{key}="'
    for start, end, rule in _spans(f'{prefix}{value}"') if not _MARKER.search(value) else ():
        if start == len(prefix) and end == start + len(value):
            found.append(rule)
            return f"[redacted:{rule}]"
    return _text(value, found)


def harmless(words: Sequence[str]) -> bool:
    """True if no rule waits for anything in a text of these words. Decided word by word, and what was decided is kept:
    the words of ordinary text are few, and most were seen before. A keyword stands in one word, or begins in one."""
    if _plain.issuperset(words):
        return True
    for word in words:
        if word not in _plain:
            lowered = word.lower()
            if len(lowered) >= TOKEN_LENGTH or _telling().search(lowered):
                return False
            if len(_plain) >= _ROOM:
                _plain.clear()
            _plain.add(word)
    return True


_plain: set[str] = set()


@cache
def _telling() -> re.Pattern[str]:
    """Any keyword that is sought everywhere, up to its first space."""
    firsts = {keyword.split()[0] for keyword, _ in rule_set().keywords}
    return re.compile("|".join(sorted(re.escape(one) for one in firsts)))


def _redact_piece(piece: str, found: list[str]) -> str:
    """Redact a text that holds no marker. What is left between two finds is a piece again, and smaller."""
    if not (spans := _spans(piece)):
        return piece
    parts: list[str] = []
    at = 0
    for start, end, rule in spans:
        parts.append(_redact_piece(piece[at:start], found))
        parts.append(f"[redacted:{rule}]")
        found.append(rule)
        at = end
    parts.append(_redact_piece(piece[at:], found))
    return "".join(parts)


def _spans(piece: str) -> list[tuple[int, int, str]]:
    """The secrets in `piece` as (start, end, rule id), ascending; those that overlap are one, of the first rule."""
    if harmless(piece.split()):
        return []
    known = rule_set()
    lowered = piece.lower()
    waiting = {index for keyword, indexes in known.keywords if keyword in lowered for index in indexes}
    if long_words := " ".join([word for word in lowered.split() if len(word) >= TOKEN_LENGTH]):
        waiting.update(index for keyword, indexes in known.run_keywords if keyword in long_words for index in indexes)
    hits = sorted((start, end, index) for index in waiting for start, end in _matches(known, index, piece))
    merged: list[tuple[int, int, int]] = []
    for start, end, index in hits:
        if merged and start < merged[-1][1]:
            first = merged.pop()
            merged.append((first[0], max(end, first[1]), min(index, first[2])))
        else:
            merged.append((start, end, index))
    return [(start, end, known.rules[index].id) for start, end, index in merged]


def _matches(known: RuleSet, index: int, piece: str) -> list[tuple[int, int]]:
    rule, pattern, at = known.rules[index], compiled(known.rules[index].regex), 0
    spans: list[tuple[int, int]] = []
    while match := pattern.search(piece, at):
        start, end = match.span(rule.group)
        secret = piece[start:end]
        digits = sum(map(secret.count, "0123456789"))
        if digits >= rule.digits and _plausible(known, rule, secret):
            spans.append((start, end))
        elif rule.loose and digits >= rule.digits and end - start <= NESTED_LENGTH:
            end = match.start() + 1  # a real assignment may stand inside the refused one: a=example&b=...
        at = max(end, match.start() + 1)
    return spans


def _plausible(known: RuleSet, rule: Rule, secret: str) -> bool:
    if rule.loose and (known.placeholder.search(secret) or known.expression.search(secret)):
        return False
    return not rule.entropy or _entropy(secret) >= rule.entropy


def _entropy(text: str) -> float:
    """Shannon entropy of the characters of `text`, in bits per character."""
    return -sum(n / len(text) * math.log2(n / len(text)) for n in Counter(text).values())


@cache
def compiled(regex: str) -> re.Pattern[str]:
    """The compiled form of a rule's regex."""
    return re.compile(regex)


@cache
def rule_set() -> RuleSet:
    """The rules of `secrets.json`, read once per process."""
    data = json.loads(Path(__file__).with_name("secrets.json").read_text(encoding="utf-8"))
    rules = tuple(Rule(**{**row, "keywords": tuple(row["keywords"])}) for row in data["rules"])
    return RuleSet(
        rules,
        _by_keyword(rules, run=False),
        _by_keyword(rules, run=True),
        re.compile(data["placeholder"]),
        re.compile(data["expression"]),
    )


def _by_keyword(rules: tuple[Rule, ...], run: bool) -> tuple[tuple[str, tuple[int, ...]], ...]:
    words: dict[str, tuple[int, ...]] = {}
    for index, rule in enumerate(rules):
        for keyword in rule.keywords if rule.run == run else ():
            words[keyword] = (*words.get(keyword, ()), index)
    return tuple(words.items())
