"""Where the rows of a document of JSON stand, so that an error can say the line."""

from __future__ import annotations

import json

_BLANK = " \t\r\n"


def lines_of_rows(text: str) -> dict[tuple[str, int], int]:
    """The line (from 1) on which each element of each list of an object begins, by the list's name and the element's
    number; ``text`` is JSON that could be read."""
    decoder, found = json.JSONDecoder(), {}
    place, line, counted = _next(text, 0) + 1, 1, 0
    while (place := _next(text, place)) < len(text) and text[place] != "}":
        name, place = decoder.raw_decode(text, place)
        place = _next(text, _next(text, place) + 1)  # behind the colon
        if text[place] != "[":
            place = decoder.raw_decode(text, place)[1]
        else:
            place, number = _next(text, place + 1), 0
            while text[place] != "]":
                line, counted = line + text.count("\n", counted, place), place
                found[name, number] = line
                place = _next(text, decoder.raw_decode(text, place)[1])
                number += 1
            place += 1
        place = _next(text, place)
    return found


def _next(text: str, place: int) -> int:
    """The next place that is no blank and no comma."""
    while place < len(text) and (text[place] in _BLANK or text[place] == ","):
        place += 1
    return place
