"""Files of text in an agent's memory, and the six commands of Anthropic's memory tool over them
(https://docs.claude.com/en/docs/agents-and-tools/tool-use/memory-tool): what each returns is word for word what the
tool of its SDK returns, which keeps real files.

A file is a memory of kind ``knowledge`` under its path, pinned so that it does not fade; recall finds it as any other.
An edit replaces the version that it was made of, or is made again: of two processes that edit one file none undoes the
other's work. Folders are there while there is something in them. No path reaches the machine's own files.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from urllib.parse import unquote

from engrain.agent import Agent
from engrain.errors import Changed, InvalidField
from engrain.model.item import MemoryItem

ROOT = "/memories"
MAX_LINES = 999_999
_SOURCE = "memory-tool"
_KIND = "knowledge"
_KEY = "memory-tool:"
_BLANK = "(an empty file)"
_PATH = 400  # characters
_AGAIN = 50  # times that an edit is made anew because somebody else was quicker


class MemoryFiles:
    """The files of one agent. ``max_bytes`` (UTF-8) bounds a file, ``max_files`` their number. Raises InvalidField with
    the published message, and changes nothing, when a command cannot be carried out."""

    def __init__(self, agent: Agent, *, max_bytes: int = 256_000, max_files: int = 1_000) -> None:
        self._agent = agent
        self._max_bytes = max_bytes
        self._max_files = max_files

    def view(self, path: str, view_range: Sequence[int] | None = None) -> str:
        """A file with line numbers, ``view_range`` (first, last; -1: the end) of it, or what is in a folder."""
        place = _place(path)
        item = self._file(place)
        if item is None:
            return self._folder(path, place)
        lines = _text(item).split("\n")
        if len(lines) > MAX_LINES:
            raise InvalidField(f"File {path} exceeds maximum line limit of 999,999 lines.")
        first, last = 1, len(lines)
        if view_range and len(view_range) == 2 and all(isinstance(one, int) for one in view_range):
            first = max(1, view_range[0])
            last = len(lines) if view_range[1] == -1 else view_range[1]
        shown = [f"{number:6}\t{line}" for number, line in enumerate(lines[first - 1 : last], first)]
        return f"Here's the content of {path} with line numbers:\n" + "\n".join(shown)

    def create(self, path: str, file_text: str) -> str:
        """A new file. Of two that create one path at once, one is refused."""
        place = _place(path)
        if place == ROOT or self._file(place) is not None or self._below(place):
            raise InvalidField(f"File {path} already exists")
        self._enter(path, place)
        if len(self._below(ROOT)) >= self._max_files:
            raise InvalidField(f"There are {self._max_files:,} files, which is the limit; delete one first.")
        try:
            self._write(path, place, file_text, "")
        except Changed as error:
            raise InvalidField(f"File {path} already exists") from error
        return f"File created successfully at: {path}"

    def str_replace(self, path: str, old_str: str, new_str: str = "") -> str:
        """Replace a text that stands in a file exactly once."""

        _words("old_str", old_str), _words("new_str", new_str)

        def edit(text: str) -> tuple[str, str]:
            at = text.find(old_str)
            if at < 0:
                raise InvalidField(
                    f"No replacement was performed, old_str `{old_str}` did not appear verbatim in {path}."
                )
            if text.count(old_str) > 1:
                found = ", ".join(str(one) for one in _lines_of(text, old_str))
                told = f"No replacement was performed. Multiple occurrences of old_str `{old_str}` in lines: {found}. "
                raise InvalidField(told + "Please ensure it is unique")
            new = text[:at] + new_str + text[at + len(old_str) :]
            lines, line = new.split("\n"), text.count("\n", 0, at)
            around = range(max(0, line - 2), min(len(lines), line + 3))
            told = "The memory file has been edited. Here is the snippet showing the change (with line numbers):\n"
            return new, told + "\n".join(f"{number + 1:6}\t{lines[number]}" for number in around)

        return self._edit(path, edit)

    def insert(self, path: str, insert_line: int, insert_text: str) -> str:
        """Put lines behind line ``insert_line`` (0: before the first)."""

        def edit(text: str) -> tuple[str, str]:
            lines = text.split("\n")
            if lines[-1] == "":
                lines.pop()
            if not isinstance(insert_line, int) or not 0 <= insert_line <= len(lines):
                told = f"Invalid `insert_line` parameter: {insert_line}. "
                raise InvalidField(f"{told}It should be within the range [0, {len(lines)}].")
            lines.insert(insert_line, _words("insert_text", insert_text).rstrip("\n"))
            new = "\n".join(lines)
            return new if new.endswith("\n") else new + "\n", f"The file {path} has been edited."

        return self._edit(path, edit)

    def delete(self, path: str) -> str:
        """Forget a file, or a folder with all that is in it, for good."""
        place = _place(path)
        if place == ROOT:
            raise InvalidField(f"Cannot delete the {ROOT} directory itself")
        item = self._file(place)
        items = self._below(place) if item is None else [item]
        if not [one for one in items if self._agent.forget(one.id)]:
            raise InvalidField(f"The path {path} does not exist")
        return f"Successfully deleted {path}"

    def rename(self, old_path: str, new_path: str) -> str:
        """Move a file, or a folder with all that is in it."""
        old, new = _place(old_path), _place(new_path)
        if old == ROOT:
            raise InvalidField(f"Cannot rename the {ROOT} directory itself")
        if new == ROOT or self._file(new) is not None or self._below(new):
            raise InvalidField(f"The destination {new_path} already exists")
        item = self._file(old)
        items = self._below(old) if item is None else [item]
        if not items:
            raise InvalidField(f"The path {old_path} does not exist")
        if f"{new}/".startswith(f"{old}/"):
            raise InvalidField(f"The path {new_path} lies inside {old_path}")
        self._enter(new_path, new)
        for one in items:
            self._move(one, new + _where(one)[len(old) :], new_path)
        return f"Successfully renamed {old_path} to {new_path}"

    def clear(self) -> str:
        """Forget all files for good."""
        self._agent.forget_where(kind=_KIND, tags=[_SOURCE])
        return "All memory cleared"

    # -- what is there ------------------------------------------------------------------------------------------------

    def _file(self, place: str) -> MemoryItem | None:
        return None if place == ROOT else self._agent.lookup(_KIND, _KEY + place)

    def _below(self, place: str) -> list[MemoryItem]:
        return self._agent.list(_KIND, 10_000, prefix=f"{_KEY}{place}/")

    def _folder(self, path: str, place: str) -> str:
        files = {_where(item)[len(place) + 1 :]: len(_text(item).encode()) for item in self._below(place)}
        if not files and place != ROOT:
            raise InvalidField(f"The path {path} does not exist. Please provide a valid path.")
        sizes: dict[tuple[str, ...], int] = {}
        for name, size in files.items():
            steps = tuple(name.split("/"))
            for depth in range(1, min(3, len(steps) + 1)):
                part = (*steps[:depth], "") if depth < len(steps) else steps
                if not any(step.startswith(".") for step in part):
                    sizes[part] = sizes.get(part, 0) + size
        shown = [(_size(sum(files.values())), path)]
        shown += [(_size(sizes[part]), f"{path}/{'/'.join(part)}") for part in sorted(sizes)]
        head = f"Here're the files and directories up to 2 levels deep in {path}, excluding hidden items:\n"
        return head + "\n".join(f"{size}\t{name}" for size, name in shown)

    # -- writing ------------------------------------------------------------------------------------------------------

    def _enter(self, path: str, place: str) -> None:
        """See that no step of the way is a file."""
        steps = place.split("/")[2:-1]
        for depth in range(1, len(steps) + 1):
            folder = "/".join([ROOT, *steps[:depth]])
            if self._file(folder) is not None:
                raise InvalidField(f"The path {folder} is not a directory")

    def _edit(self, path: str, edit: Callable[[str], tuple[str, str]]) -> str:
        place = _place(path)
        for _ in range(_AGAIN):
            item = self._file(place)
            if item is None:
                there = place == ROOT or self._below(place)
                told = "is not a file." if there else "does not exist. Please provide a valid path."
                raise InvalidField(f"The path {path} {told}")
            text, told = edit(_text(item))
            try:
                self._write(path, place, text, item.id)
            except Changed:
                continue
            return told
        raise InvalidField(f"The file {path} is being changed by others all the time; try again.")

    def _write(self, path: str, place: str, text: str, expects: str) -> MemoryItem:
        if not isinstance(text, str):
            raise InvalidField(f"What is written to {path} must be text.")
        if len(text.encode("utf-8", "replace")) > self._max_bytes:
            raise InvalidField(f"File {path} exceeds maximum size of {self._max_bytes:,} bytes; split it.")
        blank = not text.strip()
        return self._agent.remember(
            f"{_BLANK} {place}" if blank else text,
            kind=_KIND,
            key=_KEY + place,
            tags=[_SOURCE],
            metadata={"blank": text} if blank else {},
            pinned=True,
            source=_SOURCE,
            expects=expects,
        )

    def _move(self, item: MemoryItem, place: str, path: str) -> None:
        for _ in range(_AGAIN):
            try:
                copy = self._write(path, place, _text(item), "")
            except Changed as error:
                raise InvalidField(f"The destination {path} already exists") from error
            now = self._file(_where(item))
            if now is not None and now.id != item.id:  # edited meanwhile: what is moved is the latest
                self._agent.forget(copy.id)
                item = now
                continue
            self._agent.forget(item.id)
            return


def _place(path: str) -> str:
    """The path without empty steps. InvalidField when it is not below the root however it is spelled."""
    shown = path if isinstance(path, str) else repr(path)
    if not isinstance(path, str) or not (path == ROOT or path.startswith(f"{ROOT}/")):
        raise InvalidField(f"Path must start with {ROOT}, got: {shown}")
    plain = path
    for _ in range(8):  # a path may be encoded more than once
        plain = unquote(plain)
    steps = plain.replace("\\", "/").split("/")
    if ".." in [step.strip() for step in steps] or unquote(plain) != plain:
        raise InvalidField(f"Path {shown} would escape {ROOT} directory")
    if not path.isprintable() or not plain.isprintable() or "\\" in plain:
        raise InvalidField(f"Path {shown!r} holds a character that no path may have")
    place = "/".join([ROOT, *(step for step in path.split("/")[2:] if step not in ("", "."))])
    if len(place) > _PATH or any(not step.strip() for step in place.split("/")[1:]):
        raise InvalidField(f"Path {shown[:80]} is blank in part, or longer than {_PATH} characters")
    return place


def _words(name: str, given: object) -> str:
    if not isinstance(given, str):
        raise InvalidField(f"{name} must be text, not {type(given).__name__}.")
    return given


def _where(item: MemoryItem) -> str:
    return (item.key or "")[len(_KEY) :]


def _text(item: MemoryItem) -> str:
    return str(item.metadata.get("blank", item.content))


def _lines_of(text: str, part: str) -> list[int]:
    found: list[int] = []
    at = text.find(part)
    while at >= 0 and len(found) < 100:
        found.append(text.count("\n", 0, at) + 1)
        at = text.find(part, at + 1)
    return found


def _size(size: int) -> str:
    if size == 0:
        return "0B"
    step = min((size.bit_length() - 1) // 10, 3)
    number = size / 1024**step
    return f"{int(number) if number == int(number) else f'{number:.1f}'}{'BKMG'[step]}"
