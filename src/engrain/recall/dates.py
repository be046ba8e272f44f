"""Dates: the days, months and years that a question speaks of, and how well the time of an item fits them.

English only: "12 June", "June 12, 2023", "in June", "in 2023", "2023-06-12", "yesterday", "last week", "two days ago".
"""

from __future__ import annotations

import re
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
_DATE = re.compile(
    rf"\b(?:{_DAY}\s+(?:of\s+)?)?({_MONTH})\b(?:\s+{_DAY}\b)?(?:,?\s+(?:of\s+)?((?:19|20)\d\d)\b)?", re.IGNORECASE
)
_ISO = re.compile(r"\b((?:19|20)\d\d)-(\d\d)(?:-(\d\d))?\b")
_YEAR = re.compile(r"\b(?:in|during|of|year)\s+((?:19|20)\d\d)\b(?!-)", re.IGNORECASE)
_AGO = re.compile(rf"\b(\d{{1,3}}|{'|'.join(_NUMBERS)})\s+(day|week|month|year)s?\s+ago\b", re.IGNORECASE)
_SPAN = re.compile(r"\b(this|last|past|previous)\s+(week|month|year)\b|\b(today|yesterday)\b", re.IGNORECASE)
_SAID = re.compile(r"\b(?:in|on|of|by|from|to|since|until|before|after|during|and|last|this|early|late|mid)\s+$", re.I)
_LENGTH = {"day": 1, "week": 7, "month": 30, "year": 365}


def times(text: str, now: int, oldest: int) -> list[tuple[int, int]]:
    """The times that a text speaks of, as (from, until) in µs UTC, at most MOST. ``now``: when it is asked. A date
    without a year means each year from ``oldest`` (µs) to now. What is no date of the calendar is left out."""
    today = from_micros(now).date()
    years = range(max(from_micros(oldest).year, today.year - MOST + 1), today.year + 1)
    found: list[tuple[date, date]] = []
    for match in _DATE.finditer(text):
        month, day = _MONTHS.index(match[2].lower()) + 1, match[1] or match[3]
        # May and March are verbs as well.
        if not day and not match[4] and month in (3, 5) and not _SAID.search(text[: match.start()]):
            continue
        for year in [int(match[4])] if match[4] else years:
            found += _calendar(year, month, int(day) if day else None)
    for match in _ISO.finditer(text):
        found += _calendar(int(match[1]), int(match[2]), int(match[3]) if match[3] else None)
    dated = {one.year for one, _ in found}
    found += [
        (date(year, 1, 1), date(year + 1, 1, 1))
        for year in (int(match[1]) for match in _YEAR.finditer(text))
        if year not in dated
    ]
    found += _relative(text, today)
    return [(_micros(a), _micros(b)) for a, b in found[:MOST]]


def _calendar(year: int, month: int, day: int | None) -> list[tuple[date, date]]:
    try:
        first = date(year, month, day or 1)
    except ValueError:
        return []
    if day:
        return [(first, first + timedelta(1))]
    return [(first, date(year + month // 12, month % 12 + 1, 1))]


def _relative(text: str, today: date) -> list[tuple[date, date]]:
    found = []
    for match in _AGO.finditer(text):
        length = _LENGTH[match[2].lower()]
        back = int(match[1]) if match[1].isdigit() else _NUMBERS[match[1].lower()]
        if back * length < (today - date.min).days - length:
            middle = today - timedelta(back * length)
            found.append((middle - timedelta(length // 2), middle + timedelta(length // 2 + 1)))
    for match in _SPAN.finditer(text):
        if match[3]:
            day = today - timedelta(match[3].lower() == "yesterday")
            found.append((day, day + timedelta(1)))
        else:
            length = _LENGTH[match[2].lower()]
            end = today + timedelta(1) if match[1].lower() == "this" else today
            found.append((end - timedelta(length), end))
    return found


def _micros(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1_000_000


def fit(when: Wide, asked: list[tuple[int, int]]) -> Floats:
    """How well each time (µs UTC) fits one of those asked for: 1 within it or up to a day before (clocks and zones
    differ), falling to 0 over the LATER after it."""
    best = np.zeros(len(when), np.float32)
    for start, end in asked:
        late = np.maximum(when - end, 0) / LATER
        fits = np.where(when >= start - DAY, np.maximum(1.0 - late, 0.0), 0.0)
        np.maximum(best, fits.astype(np.float32), out=best)
    return best
