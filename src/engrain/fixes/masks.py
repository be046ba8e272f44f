"""Masks: what differs from one occurrence of an event to the next is replaced by ``<*>``.

Two steps. `mask_token` looks at one word (what stands between white space) and masks numbers, ids, hexadecimal,
addresses, hosts, URLs, paths and times; words repeat, so its answers are kept. `mask` then looks at the line: text in
quotes, units, dates in words, runs of values. There is one configuration, the patterns below, for all sources; each
says what it is in logs in general. Where a word could as well name the event, it is left to `templates.Miner`, which
waits for evidence.

Sources of the idea: Zhu et al. 2019 (ICSE-SEIP, LogHub), He et al. 2017 (Drain), and "Preprocessing is all you need"
(2024), which found that the masks matter more than the clustering.
"""

from __future__ import annotations

import re
from functools import lru_cache

MASK = "<*>"
HEAD = 2048  # characters of a text that are looked at: what names an event stands at its beginning
LONG_TOKEN = 256  # characters of a word that are looked at
LONG = 1024  # characters of a masked line

# The last label of a host's name. Those that are also words or types of files (in, is, it, py, rs, sh …) are left out.
_DOMAINS = (
    "com|net|org|edu|gov|mil|int|info|biz|io|dev|app|cloud|local|localdomain|localhost|lan|internal|corp|home|arpa|"
    "ac|ad|ae|af|ag|ar|au|az|ba|bd|bg|bh|bn|bo|br|bw|by|bz|ca|ch|ci|ck|cl|cn|co|cr|cu|cy|cz|de|dk|dz|ec|ee|eg|es|et|eu|"
    "fi|fj|fr|gb|ge|gh|gr|gt|hk|hn|hr|hu|ie|il|iq|ir|jm|jo|jp|ke|kg|kh|kr|kw|kz|lb|lk|lt|lu|lv|ly|ma|mg|mk|mm|mn|mo|mt|mu|"
    "mv|mx|mz|na|ng|ni|nl|np|nz|om|pa|pe|pg|ph|pk|pt|qa|ro|ru|rw|sa|se|sg|si|sk|sn|sv|sy|th|tj|tn|tr|tt|tv|tw|tz|ua|ug|uk|"
    "us|uy|uz|ve|vn|ye|za|zm|zw"
)
_REVERSED = (
    r"(?:com|org|net|edu|gov|io|dev|java|javax|jdk|sun|android|kotlin|scala|system)\."  # packages and bundles begin so
)
_SOURCES = "java|kt|scala|py|c|cc|cpp|cxx|h|hpp|go|rs|js|mjs|ts|tsx|jsx|rb|php|cs|swift|m|mm|pl|lua|ex|erl|vue"
_GLUED_UNIT = (
    r"(?:[kKMGTP]i?[bB]|[kKmMgGtTbB]|ms|us|ns|µs|s|secs?|mins?|hrs?|h|d|[kKMG]?[hH]z|bps|px|[CFWV])(?![0-9A-Za-z])"
)
_UNIT = (
    r"(?:bytes?|[kKMGTP]i?[bB](?:ytes)?|[bB]|ms|us|ns|µs|s|msecs?|usecs?|secs?|(?:milli|micro|nano)?seconds?|mins?|minutes?"
    r"|hrs?|hours?|days?|[kKMG]?[hH]z|%)"
)

_VALUE = re.compile(
    rf"""
      (?P<url>(?<![A-Za-z0-9+.-])[A-Za-z][A-Za-z0-9+.-]*://[^\s"'<>()\[\],;|]*)
    | (?P<mail>(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+)
    | (?P<windows>(?:\b[A-Za-z]:)?\\+[\w$%.~{{}}@+-]+(?:[\\/]+[\w$%.~{{}}@+-]*)*
        | \b[A-Za-z]:[\\/][\w$%.~{{}}@\\/+-]* | (?<![\w$%.~-])[\w$%.~-]+(?:\\+[\w$%.~{{}}@+-]+)+)
    | (?P<path>(?<![\w.>*/)-])~?/[\w.$%~@+-][\w.$%~@+:=-]*(?:/[\w.$%~@+:=*-]*)*(?<![.:=]))
    | (?P<inner_path>(?<![\w/])[\w.@%~+-]+(?:/[\w.@%~+-]+){{2,}}/?)
    | (?P<stamp>(?<![0-9A-Za-z])\d{{4}}-\d\d-\d\dT\d\d:?\d\d(?::?\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?(?![0-9A-Za-z]))
    | (?P<uuid>(?<![0-9A-Za-z])[0-9A-Fa-f]{{8}}-(?:[0-9A-Fa-f]{{4}}-){{3}}[0-9A-Fa-f]{{12}}(?![0-9A-Za-z]))
    | (?P<host>(?<![\w.$@-])(?!{_REVERSED})(?:[A-Za-z0-9_](?:[\w-]*[A-Za-z0-9_])?\.)+(?:{_DOMAINS})
        (?![\w.-]*\w)\.?(?::\d+)?)
    | (?P<port>(?<![\w.$@-])[\w-]+(?:\.[\w-]+)*\.(?!(?:{_SOURCES}):)[A-Za-z]{{2,8}}:\d+(?!\w))
    | (?P<colons>(?<![0-9A-Za-z:])(?:[0-9A-Fa-f]{{0,4}}:){{2,}}[0-9A-Fa-f]{{0,4}}(?:%\w+)?(?:/\d+)?(?![0-9A-Za-z:]))
    | (?P<hex>(?<![0-9A-Za-z])(?:0[xX][0-9A-Fa-f]+
        | (?:(?=[A-Za-z]*\d)[0-9a-f]{{6,}}|(?=[A-Za-z]*\d)[0-9A-F]{{6,}}|[a-f]{{8,}}|[A-F]{{8,}})(?![0-9A-Za-z])))
    | (?P<number>(?:(?<![A-Za-z0-9)\]>])[-+])?
        (?:(?<![\d.])\d{{1,3}}(?:,\d{{3}})+(?:\.\d+)?(?![\d.])|\d+(?:[.:/-]\d+)*)(?:%|{_GLUED_UNIT})?)
    """,
    re.VERBOSE,
)
"""A value inside a word. ``colons`` are addresses (IPv6, MAC) and times; a number takes date and time separators, a
sign that does not join words, and a unit."""

_MAYBE = re.compile(r"[\d/\\@.]|:[^:]*:|[a-f]{8}|[A-F]{8}|<\*>.*<\*>|_<\*>")  # without any of it nothing is masked
_GLUE = re.compile(r"<\*>(?:[-.:/_+#@~]{0,2}<\*>)+")  # parts of one value: 10.0.0.1/24, 12##7##9
_MANY = re.compile(  # an id made of letters and numbers: R02-M1-N0-C:J12-U11, a1b2c3
    r"[\w.:@#~+-]*<\*>(?:[\w.:@#~+-]*<\*>){2,}[\w.:@#~+-]*|<\*>(?:[-.:_]?[A-Za-z]{1,2}[-.:_]?<\*>)+"
)
_NUMBERED = re.compile(r"\w+_<\*>(?:\w|<\*>)*")  # a generated name: task_17, broadcast_3_piece0
_DOTTED = re.compile(r"(?:[\w-]|<\*>)+(?:\.(?:[\w-]|<\*>)+){2,}")  # a long name with a number in it: a host

_HTTP = re.compile(r'"(GET|POST|PUT|DELETE|HEAD|PATCH|OPTIONS|CONNECT|TRACE) [^"]*"')  # the method names the event
_DOUBLE = re.compile(r'"[^"]*"')
_SINGLE = re.compile(r"(?<![\w'])'[^']*'(?!\w)|`[^`']*['`]")
_TRUTH = re.compile(  # ready=true, or "force: no" at an end; not ": no such file"
    r"((?:=|:(?= ?\w+(?:[,;|)\]}]|$))) ?)(?:true|false|null|nil|none|yes|no|on|off)(?![\w.-])",
    re.IGNORECASE,
)
_DATE = re.compile(r"(?:\b(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec|Mon|Tue|Wed|Thu|Fri|Sat|Sun),? )+(?=<\*>)")
_CLOCK = re.compile(r"<\*> (?:AM|PM|am|pm|UTC|GMT|[ECMP][SD]T|CES?T)\b")
_AMOUNT = re.compile(rf"<\*> ?{_UNIT}(?![\w/])")
_ABOUT = re.compile(r"(?<!\*)[<>~] ?<\*>")  # < 1 sec
_NOTE = re.compile(r"<\*> ?\((?:[^\s()]*<\*>[^\s()]*)?\)")  # the value said again: 4042 bytes (3.94 KB), 10.0.0.1 ()
_RUN = re.compile(r"<\*>(?: ?<\*>|[|:=] ?<\*>)+")
_REPEAT = re.compile(r"(\S.{3,80}?<\*>\S{0,80})(?: \1)+")  # a group of values, several times


@lru_cache(1 << 15)
def mask_token(token: str) -> str:
    """One word without what differs; at most `LONG_TOKEN` of its characters are kept."""
    if token.isdecimal():
        return MASK
    token = token[:LONG_TOKEN]
    if not _MAYBE.search(token):
        return token
    text = _VALUE.sub(MASK, token)
    if text != MASK and MASK in text:
        if text.count(MASK) > 1:
            text = _MANY.sub(MASK, _GLUE.sub(MASK, text))
        if "_<*>" in text:
            text = _NUMBERED.sub(MASK, text)
        if text.count(".") > 1:
            text = _DOTTED.sub(lambda found: MASK if MASK in found[0] else found[0], text)
    return text


def words(text: str) -> str:
    """The text with each word masked, one space between words. Two texts for which it is equal have equal masks."""
    return " ".join([mask_token(token) for token in (text if len(text) <= HEAD else _cut(text, HEAD)).split()])


@lru_cache(1 << 12)
def settle(line: str) -> str:
    """The mask of a line whose `words` are masked; masking its answer changes nothing any more."""
    for _ in range(8):
        before, line = line, _cut(words(_line(line)), LONG)
        if line == before:
            break
    return line


def mask(text: str) -> str:
    """The text without what differs between two occurrences of one event, on one line, at most `LONG` characters."""
    return settle(words(text))


def _cut(text: str, limit: int) -> str:
    """At most `limit` characters, and no half of a word at the end if that can be."""
    if len(text) <= limit:
        return text
    space = max(text.rfind(" ", limit // 2, limit + 1), text.rfind("\n", limit // 2, limit + 1))
    return text[: space if space > 0 else limit]


def _line(line: str) -> str:
    if '"' in line:
        line = _DOUBLE.sub(MASK, _HTTP.sub(r"\1 <*>", line))
    if "'" in line:
        line = _SINGLE.sub(MASK, line)
    line = _TRUTH.sub(r"\1<*>", line)
    if MASK not in line:
        return line
    line = _CLOCK.sub(MASK, _DATE.sub("", line))
    line = _NOTE.sub(MASK, _ABOUT.sub(MASK, _AMOUNT.sub(MASK, line)))
    return _REPEAT.sub(r"\1", _RUN.sub(MASK, line))
