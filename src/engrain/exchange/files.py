"""The three formats that an export is written in and an import reads: JSON, JSON by line, and a table.

Whatever a file holds, reading it gives (where, row) pairs, a row being an object that is still to be checked, or the
InvalidInput that says why there is none. Only a JSON document is held whole; of the others, a row at a time.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, BinaryIO

from engrain.errors import InvalidField, InvalidInput
from engrain.exchange.rows import COUNTS, FIELDS

VERSION = 1
"""Of what is written. A reader refuses what is newer."""
LINE = 16 << 20  # bytes of one row, at most: the largest item with every character spelled out
LISTS = ("items", "results", "memories")  # where a JSON document may have its rows

Found = tuple[str, Any]
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(", ", ": ")).encode
_NUMBERS = ("importance", "decay_rate", "weighed", *COUNTS)
_PARTS = ("tags", "metadata", "redacted", "echoes")
_GUARDED = ("=", "+", "-", "@", "\t", "\r", "'")  # a spreadsheet would take what begins so for a formula


class Statistics:
    """Counts of what was written; they stand at the end, so that a file that was cut short is noticed."""

    def __init__(self) -> None:
        self.states: Counter[str] = Counter(active=0, superseded=0, archived=0)
        self._kinds: Counter[str] = Counter()

    def count(self, items: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
        """The same items."""
        for item in items:
            self.states[item["state"]] += 1
            self._kinds[item["kind"]] += 1
            yield item

    def told(self) -> dict[str, Any]:
        kinds = dict(sorted(self._kinds.items()))
        return {"items": self.states.total(), **self.states, "by_kind": kinds}


def as_json(header: Mapping[str, Any], items: Iterable[Mapping[str, Any]], counts: Statistics) -> Iterator[str]:
    """One document, an item a line."""
    yield f'{{"engrain": {_encode(header)},\n"items": ['
    before = "\n"
    for item in counts.count(items):
        yield before + _encode(item)
        before = ",\n"
    yield f'\n],\n"statistics": {_encode(counts.told())}}}\n'


def as_lines(header: Mapping[str, Any], items: Iterable[Mapping[str, Any]], counts: Statistics) -> Iterator[str]:
    """A header, an item a line, the statistics."""
    yield _encode({"engrain": header}) + "\n"
    for item in counts.count(items):
        yield _encode(item) + "\n"
    yield _encode({"statistics": counts.told()}) + "\n"


def as_table(header: Mapping[str, Any], items: Iterable[Mapping[str, Any]], counts: Statistics) -> Iterator[str]:
    """A row an item, a column a field; lists and objects are JSON in their cell."""
    del header  # a table has no place for it
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    writer.writerow(FIELDS)
    for item in counts.count(items):
        writer.writerow([_cell(name, item.get(name)) for name in FIELDS])
        if buffer.tell() > LINE >> 4:
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue()


def _cell(name: str, value: Any) -> str:
    if value is None:
        return ""
    if name in _PARTS or not isinstance(value, str):
        return _encode(value)
    return "'" + value if value.startswith(_GUARDED) else value


WRITERS: Mapping[str, Callable[..., Iterator[str]]] = {"json": as_json, "jsonl": as_lines, "csv": as_table}


# -- reading ----------------------------------------------------------------------------------------------------------


def lines(file: BinaryIO) -> Iterator[Found]:
    """(where, value) of every line that is not blank. A line that is too long is not held."""
    number = 0
    while line := file.readline(LINE + 1):
        number += 1
        where = f"line {number}"
        if len(line) > LINE:
            while line and not line.endswith(b"\n"):
                line = file.readline(LINE)
            yield where, InvalidField(f"It has more than {LINE:,} bytes.")
        elif line.strip():
            yield where, _value(line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line)


def _value(text: bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        return InvalidField(f"It is not JSON: {_why(error)}.")


def _why(error: Exception) -> str:
    return "it is nested too deeply" if isinstance(error, RecursionError) else str(error)


def from_lines(file: BinaryIO) -> Iterator[Found]:
    """The items of JSON by line, ours or another's: only ours have a header and statistics."""
    headed, told, items = False, None, 0
    for where, value in lines(file):
        if isinstance(value, dict) and value.keys() == {"engrain"}:
            headed = True
            _check_version(value["engrain"])
        elif isinstance(value, dict) and value.keys() == {"statistics"}:
            told = value["statistics"]
        else:
            items += 1
            yield where, value
    if headed:
        yield from _cut_short(told, items)


def from_json(file: BinaryIO) -> Iterator[Found]:
    """The items of a document: those of its list, or of the list under one of the names in LISTS."""
    about: dict[str, Any] = {}
    items = 0
    for where, value in elements(file, about):
        items += 1
        yield where, value
        if isinstance(value, InvalidInput):
            return
    if "engrain" in about:
        _check_version(about["engrain"])
        yield from _cut_short(about.get("statistics"), items)


def elements(file: BinaryIO, about: dict[str, Any]) -> Iterator[Found]:
    """The elements of the document's list, each with the line where it begins; what else stands beside the list comes
    into ``about``. What is no such document ends with an InvalidInput."""
    try:
        text = file.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        yield "the file", InvalidField(f"It is not UTF-8: {error}.")
        return
    yield from _Document(text).elements(about)


class _Document:
    """A JSON text that is read from its beginning, an element at a time."""

    def __init__(self, text: str) -> None:
        self._text, self._at = text, 0
        self._line, self._counted = 1, 0
        self._decode = json.JSONDecoder().raw_decode
        self._listed = False

    def elements(self, about: dict[str, Any]) -> Iterator[Found]:
        try:
            if self._next("[{") == "[":
                yield from self._list()
            else:
                yield from self._object(about)
            if self._text[self._at :].strip():
                raise InvalidField("Something stands behind the end of the document.")
            if not self._listed:
                raise InvalidField(f"It has no list of items, neither as a whole nor under {', '.join(LISTS)}.")
        except (ValueError, RecursionError) as error:
            yield self._where(), InvalidField(f"It is not JSON from here on: {_why(error)}.")
        except InvalidField as error:
            yield self._where(), error

    def _object(self, about: dict[str, Any]) -> Iterator[Found]:
        if self._peek() == "}":
            self._at += 1
            return
        while True:
            name = self._value()
            self._next(":")
            if name in LISTS and self._peek() == "[":
                self._at += 1
                yield from self._list()
            else:
                about[str(name)] = self._value()
            if self._next(",}") == "}":
                return

    def _list(self) -> Iterator[Found]:
        self._listed = True
        if self._peek() == "]":
            self._at += 1
            return
        while True:
            self._peek()
            where = self._where()
            yield where, self._value()
            if self._next(",]") == "]":
                return

    def _value(self) -> Any:
        self._peek()
        value, self._at = self._decode(self._text, self._at)
        return value

    def _peek(self) -> str:
        text, at = self._text, self._at
        while at < len(text) and text[at] in " \t\r\n":
            at += 1
        self._at = at
        return text[at : at + 1]

    def _next(self, allowed: str) -> str:
        found = self._peek()
        if not found or found not in allowed:
            raise InvalidField(f"Here {' or '.join(allowed)} is missing: the file is cut short or no JSON.")
        self._at += 1
        return found

    def _where(self) -> str:
        self._line += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        return f"line {self._line}"


def from_table(file: BinaryIO) -> Iterator[Found]:
    """The items of a table whose first row names its columns."""
    csv.field_size_limit(max(csv.field_size_limit(), LINE))
    text = io.TextIOWrapper(file, "utf-8-sig", newline="")
    try:
        yield from _rows(csv.reader(_short(text), strict=True))
    finally:
        text.detach()  # the file is its owner's to close


def _short(text: io.TextIOWrapper) -> Iterator[str]:
    while line := text.readline(LINE + 1):
        if len(line) > LINE:
            raise csv.Error(f"the line has more than {LINE:,} characters")
        yield line


def _rows(reader: Any) -> Iterator[Found]:
    names: list[str] | None = None
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader, None)
        except (csv.Error, UnicodeDecodeError) as error:
            yield f"line {line}", InvalidField(f"It is no table from here on: {error}.")
            return
        if cells is None:
            return
        if names is None:
            names = cells
        elif len(cells) > len(names):
            yield f"line {line}", InvalidField(f"It has {len(cells)} cells and the first row {len(names)} names.")
        elif cells:
            yield f"line {line}", _row(dict(zip(names, cells, strict=False)))


def _row(cells: Mapping[str, str]) -> Any:
    row: dict[str, Any] = {}
    for name, cell in cells.items():
        if not cell:
            continue
        if name in _PARTS or name in _NUMBERS or name == "pinned":
            try:
                row[name] = json.loads(cell)
            except (ValueError, RecursionError) as error:
                return InvalidField(f"{name} is not JSON: {_why(error)}.")
        else:
            row[name] = cell.removeprefix("'") if cell[0] == "'" else cell
    return row


def _check_version(header: Any) -> None:
    version = header.get("version") if isinstance(header, dict) else None
    if not isinstance(version, int) or version > VERSION:
        raise InvalidField(f"The file has version {version!r} and this engrain reads up to {VERSION}; upgrade engrain.")


def _cut_short(statistics: Any, items: int) -> Iterator[Found]:
    told = statistics.get("items") if isinstance(statistics, dict) else None
    if told != items:
        end = "its end is missing" if told is None else f"its end speaks of {told}"
        yield "the end", InvalidField(f"The file has {items} items and {end}: it was cut short or edited.")
