"""Text to terms: words are found, folded, stemmed and hashed to 32 bits, the same in every process.

Words keep their identity where code and logs need it: ``snake_case``, ``camelCase``, paths, error codes, numbers with
separators and dates give the whole and its parts. Scripts without spaces give their pairs of characters. Stemmer:
Snowball English (Porter 2), of PyStemmer.
"""

from __future__ import annotations

import re
import struct
import threading
import unicodedata
import zlib
from collections.abc import Iterator, Sequence

import Stemmer

ANALYZER = "words/1"  # names this file's behaviour: a change of behaviour changes the name

# Words of grammar and of asking. "May" with a capital is a month and stays.
_STOP = frozenset(
    re.findall(
        r"\w+",
        """a an the and or but if of at by for with about to from in on is are was were be been being do does did has
        have had having i me my mine you your yours he him his she her hers it its they them their theirs our ours
        us we this that these those what which who whom whose when where why how can could would should will shall may
        might must not no so as than then there here just also into out up down over under again during before after
        any some such only own same too very s t d ll m re ve get got tell give""",
    )
)

_WORD = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?(?!\w)|\w+(?:[-./:@\\'’+#&]+\w+)*")
_NOT = re.compile(r"n['’]t$", re.IGNORECASE)
_JOIN = re.compile(r"[\W_]+")
_CAMEL = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
_NO_SPACES = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)
_RUN = re.compile(_NO_SPACES.pattern + r"|[^\W_]+")
_LONG = 64  # longer ones are rarely seen twice: not worth a place in the cache
_ROOM = 100_000

_stemmer = Stemmer.Stemmer("english")
_stemming = threading.Lock()  # a Stemmer is not safe to share between threads


class _Known(dict[str, bytes]):
    """What stood between two spaces before, with and without its punctuation, and the hashes of its terms (uint32,
    little-endian)."""

    def __missing__(self, chunk: str) -> bytes:
        tokens = [chunk] if chunk.isalnum() else _WORD.findall(chunk)
        if tokens == [chunk]:
            found = [zlib.crc32(term.encode("utf-8", "surrogatepass")) for term in terms(chunk)]
            hashes = struct.pack(f"<{len(found)}I", *found)
        else:
            hashes = b"".join(map(self.__getitem__, tokens))
        if len(chunk) <= _LONG:
            if len(self) >= _ROOM:
                self.clear()
            self[chunk] = hashes
        return hashes


_known = _Known()


def analyze(text: str) -> list[int]:
    """The terms of a text as 32-bit hashes, in order, with repetition."""
    hashes = packed(text)
    return list(struct.unpack(f"<{len(hashes) // 4}I", hashes))


def packed(text: str, cut: Sequence[str] | None = None) -> bytes:
    """The same as uint32, little-endian. No token holds white space, so a text is cut there first: that is what is seen
    again and looked up whole. ``cut``: the text so cut, if that is known."""
    if cut is None or not text.isascii():
        cut = _folded(text).split()
    return b"".join(map(_known.__getitem__, cut))


def words(text: str) -> Iterator[str]:
    """The folded words and identifiers of a text, whole, without stop words, unstemmed."""
    for token in _tokens(text):
        folded = _fold(token)
        if folded not in _STOP:
            yield folded


def run(text: str) -> list[str]:
    """The folded words of a text one after the other: words of grammar among them, nothing stemmed, compounds in their
    parts; of scripts without spaces each character."""
    return [_fold(token) for token in _RUN.findall(_folded(text))]


def spans(text: str) -> list[tuple[int, int]]:
    """Where the words of a text begin and end, in characters."""
    return [match.span() for match in _WORD.finditer(text)]


def _tokens(text: str) -> list[str]:
    return _WORD.findall(_folded(text))


def _folded(text: str) -> str:
    """Compatible characters as one: full-width letters, ligatures, circled digits."""
    return text if text.isascii() else unicodedata.normalize("NFKC", text)


def _fold(token: str) -> str:
    return token.lower() if token.isascii() else unicodedata.normalize("NFKC", token.casefold())


def terms(token: str) -> list[str]:
    """The terms of one token: its stemmed parts and, of a compound, the whole as well. Empty for a stop word."""
    if token.isascii() and token.isalpha() and token.islower():  # most words: none of what follows applies
        return [] if token in _STOP else _stems(token)
    if token == "May":  # noqa: S105 (a word, no secret)
        return ["may"]
    if "'" in token or "’" in token:  # don't, Caroline's, O'Brien: parts only; n't, 's and 'll are stop words
        return [term for part in re.split("['’]", _NOT.sub("", token)) if part for term in terms(part)]
    pieces = [piece for piece in _JOIN.split(token) if piece]
    parts = [part for piece in pieces for part in _parts(piece)]
    folded = [_fold(part) for part in parts]
    found = [term for part in folded for term in _stems(part) if part not in _STOP]
    whole = _fold(token.replace(",", ""))  # 1,000 is 1000
    if whole != token.lower() and len(pieces) > 1 and whole.replace(".", "").isdigit():
        return [whole]
    if len(parts) < 2:
        return found
    return [*found, *(_stems(whole) if len(pieces) == 1 else [whole])]  # camelCase written in one case is one word


def _parts(piece: str) -> list[str]:
    """camelCase and HTTPServer2 in their parts; a word in one case is one part."""
    if piece.islower() or piece.isdigit() or (piece[0].isupper() and piece[1:].islower()) or not piece.isascii():
        return [piece]
    return _CAMEL.findall(piece) or [piece]


def _stems(part: str) -> list[str]:
    if _NO_SPACES.search(part):
        return [part[i : i + 2] for i in range(len(part) - 1)] or [part]
    if part.isdigit():
        return [part.lstrip("0") or "0"]
    with _stemming:
        return [_stemmer.stemWord(part)]
