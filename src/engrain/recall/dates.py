"""Dates: the days, months and years that a question speaks of, and how well the time of an item fits them.

English only: "12 June", "June 12, 2023", "in June", "in 2023", "2023-06-12", "yesterday", "last month", "two days ago".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta

import numpy as np

from engrain.recall.columns import Floats, Wide
from engrain.world import from_micros

DAY = 86_400_000_000  # µs
LATER = 10 * DAY  # what happened is told of for days after: from 1 at the end of the time asked for down to 0
MOST = 8  # times that one question can speak of, and years that a date without one can mean

_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_NUMBERS = {"a": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9}
_MONTH = "|".join(_MONTHS)
_DAY = r"(\d{1,2})(?:st|nd|rd|th)?"
_FLAGS = re.IGNORECASE | re.ASCII  # without ASCII ſ counts as s and ٣ as 3, which are in no table here
_BEFORE = r"(?:\b(?:in|on|during|since|from|by)\s+)?(?:the\s+)?"  # goes with the time when that is cut out
_DATE = re.compile(
    rf"{_BEFORE}\b(?:{_DAY}\s+(?:of\s+)?)?({_MONTH})\b(?:\s+{_DAY}\b)?(?:,?\s+(?:of\s+)?((?:19|20)\d\d)\b)?", _FLAGS
)
_ISO = re.compile(rf"{_BEFORE}\b((?:19|20)\d\d)-(\d\d)(?:-(\d\d))?\b", _FLAGS)
_YEAR = re.compile(r"\b(?:in|during|of|year)\s+((?:19|20)\d\d)\b(?!-)", _FLAGS)
_AGO = re.compile(rf"\b(\d{{1,3}}|{'|'.join(_NUMBERS)})\s+(day|week|month|year)s?\s+ago\b", _FLAGS)
_SPAN = re.compile(r"\b(this|last|past|previous)\s+(week|month|year)\b|\b(today|yesterday)\b", _FLAGS)
_SAID = re.compile(
    r"\b(?:in|on|of|by|from|to|since|until|before|after|during|and|last|this|early|late|mid)\s+$", _FLAGS
)
_LENGTH = {"day": 1, "week": 7, "month": 30, "year": 365}
Span = tuple[date, date]


def times(text: str, now: int, oldest: Callable[[], int]) -> tuple[list[tuple[int, int]], str]:
    """(the times that a text speaks of, as (from, until) in µs UTC, at most MOST; the text without them). ``now``: when
    it is asked. A date without a year means each year from ``oldest`` (µs) to now. Days are those of UTC. What is no
    date of the calendar stays in the text."""
    today = from_micros(now).date()
    found: list[tuple[re.Match[str], list[Span]]] = []
    for match in _DATE.finditer(text):
        month, day = _MONTHS.index(match[2].lower()) + 1, match[1] or match[3]
        # May and March are verbs as well.
        if not day and not match[4] and month in (3, 5) and not _SAID.search(text[: match.start(2)]):
            continue
        first = today.year if match[4] else max(from_micros(oldest()).year, today.year - MOST + 1)
        years = [int(match[4])] if match[4] else range(first, today.year + 1)
        found.append((match, [one for year in years for one in _calendar(year, month, int(day) if day else None)]))
    for match in _ISO.finditer(text):
        found.append((match, _calendar(int(match[1]), int(match[2]), int(match[3]) if match[3] else None)))
    for match in _YEAR.finditer(text):
        if not any(match.start(1) < other.end() and other.start() < match.end() for other, _ in found):
            found.append((match, [(date(int(match[1]), 1, 1), date(int(match[1]) + 1, 1, 1))]))
    found += [(match, _ago(match, today)) for match in _AGO.finditer(text)]
    found += [(match, [_span(match, today)]) for match in _SPAN.finditer(text)]
    found = [one for one in found if one[1]]
    rest = text
    for match, _ in sorted(found, key=lambda one: -one[0].start()):
        rest = rest[: match.start()] + " " + rest[match.end() :]
    return [(_micros(a), _micros(b)) for _, spans in found for a, b in spans][:MOST], rest


def _calendar(year: int, month: int, day: int | None) -> list[Span]:
    try:
        first = date(year, month, day or 1)
    except ValueError:
        return []
    if day:
        return [(first, first + timedelta(1))]
    return [(first, date(year + month // 12, month % 12 + 1, 1))]


def _ago(match: re.Match[str], today: date) -> list[Span]:
    length = _LENGTH[match[2].lower()]
    back = int(match[1]) if match[1].isdigit() else _NUMBERS[match[1].lower()]
    if back * length >= (today - date.min).days - length:
        return []
    middle = today - timedelta(back * length)
    return [(middle - timedelta(length // 2), middle + timedelta(length // 2 + 1))]


def _span(match: re.Match[str], today: date) -> Span:
    """Months and years of the calendar, and seven days; the present ones end today."""
    if match[3]:
        day = today - timedelta(match[3].lower() == "yesterday")
        return day, day + timedelta(1)
    which, unit, tomorrow = match[1].lower(), match[2].lower(), today + timedelta(1)
    if unit == "week" or which == "past":
        end = tomorrow if which == "this" else today
        return end - timedelta(_LENGTH[unit]), end
    first = today.replace(day=1, month=today.month if unit == "month" else 1)
    if which == "this":
        return first, tomorrow
    before = first - timedelta(1)
    return before.replace(day=1, month=before.month if unit == "month" else 1), first


def _micros(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1_000_000


def fit(when: Wide, asked: Sequence[tuple[int, int]]) -> Floats:
    """How well each time (µs UTC) fits one of those asked for: 1 within it or up to a day before (clocks and zones
    differ), falling to 0 over the LATER after it."""
    best = np.zeros(len(when), np.float32)
    for start, end in asked:
        late = np.maximum(when - end, 0) / LATER
        fits = np.where(when >= start - DAY, np.maximum(1.0 - late, 0.0), 0.0)
        np.maximum(best, fits.astype(np.float32), out=best)
    return best
