"""What screens are made of: lines, text, tables, bars of progress; in colour only on a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from engrain.shells.plain import printable

if TYPE_CHECKING:
    from rich.table import Table

EVERY = 10.0  # seconds between two lines about progress
BAR = 12  # characters of the longest bar
_AGES = ((60, 1, "second"), (3600, 60, "minute"), (86400, 3600, "hour"), (31 * 86400, 86400, "day"))

console = Console(highlight=False, emoji=False, markup=False, soft_wrap=False)


def line(*parts: tuple[str, str]) -> None:
    console.print(Text.assemble(*((printable(text), style) for text, style in parts), no_wrap=False))


def hanging(indent: int, *parts: tuple[str, str]) -> None:
    """Text of which every line but the first is indented."""
    whole = Text.assemble(*((printable(text), style) for text, style in parts))
    for number, one in enumerate(whole.wrap(console, console.width - indent)):
        one.rstrip()
        console.print(Padding(one, (0, 0, 0, indent if number else 0), expand=False))


def fits(indent: int, lines: int) -> Callable[[str], bool]:
    """Whether ``body`` would show all of a text."""
    width = console.width - indent
    return lambda told: (
        len(told) - told.count("\n") <= width * lines and len(Text(printable(told)).wrap(console, width)) <= lines
    )


def body(text: str, indent: int, lines: int, style: str = "") -> None:
    """Wrapped and indented text, at most so many lines of it."""
    told = printable(" ".join(text.split()) if lines == 1 else text.strip())
    wrapped = Text(told, style).wrap(console, console.width - indent)
    shown = list(wrapped)[:lines]
    if len(wrapped) > lines:
        shown[-1].truncate(console.width - indent - 2, overflow="crop")
        shown[-1].rstrip()
        shown[-1].append(" …")
    for one in shown:
        one.rstrip()
        console.print(Padding(one, (0, 0, 0, indent), expand=False))


def table(rows: Sequence[Sequence[str]], head: Sequence[str] = (), least: Sequence[int] = ()) -> None:
    """Columns under headings (``>`` in front of one aligns right), each at least as wide as ``least`` says; without
    headings the first column is the name."""
    if not rows:
        line(("There is none.", "dim"))
        return
    grid = columns([name.removeprefix(">") for name in head or [""] * len(rows[0])], bool(head))
    for number, name in enumerate(head):
        grid.columns[number].justify = "right" if name[:1] == ">" else "left"
    for column, width, *cells in zip(grid.columns, least, head, *rows, strict=False):
        column.min_width, column.no_wrap = (
            width,
            not any(cell_len(str(cell).removeprefix(">")) > width for cell in cells),
        )
    if not head:
        grid.columns[0].style, grid.columns[0].no_wrap = "dim", True
    for row in rows:
        grid.add_row(*(Text(printable(cell)) for cell in row))
    put(grid)


def columns(names: Sequence[str], shown: bool) -> Table:
    """A table without lines, of columns that fold what is too long."""
    from rich.table import Table

    grid = Table(box=None, show_header=shown, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for name in names:
        whole = name in ("id", "memory")  # what is copied stays whole
        grid.add_column(printable(name), overflow="fold", no_wrap=whole)
    return grid


def put(grid: Table, indent: int = 0) -> None:
    """Print a table; columns are filled up with blanks, which a file need not keep."""
    placed = Padding(grid, (0, 0, 0, indent))
    if console.is_terminal:
        console.print(placed)
        return
    with console.capture() as printed:
        console.print(placed)
    for row in printed.get().splitlines():
        console.print(row.rstrip(), soft_wrap=True)


def bar(share: float) -> str:
    """0..1 as a bar of up to BAR characters, to an eighth of one."""
    whole, rest = divmod(round(share * BAR * 8), 8)
    return "█" * whole + " ▏▎▍▌▋▊▉"[rest].strip()


def date(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC")


def age(moment: datetime, now: datetime) -> str:
    """How long ago, while that is easy to grasp; else the date."""
    seconds = (now - moment).total_seconds()
    if seconds < 0:
        return moment.strftime("%Y-%m-%d")
    for below, unit, name in _AGES:
        if seconds < below:
            number = int(seconds // unit)
            return "just now" if name == "second" else f"{number} {name}{'s' * (number != 1)} ago"
    return moment.strftime("%Y-%m-%d")


@contextmanager
def progress(total: int, what: str) -> Iterator[Callable[..., None]]:
    """On stderr, how far something long is and what time it will still take: a bar on a terminal, else a line every
    ten seconds. Yields a function that takes how much is done, and of how much when that is not ``total``; its first
    call says where the work begins."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    screen = Console(stderr=True)
    if not screen.is_terminal:
        yield _lines(total, what)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=screen, transient=True) as bar:  # what it leaves behind is the answer
        task = bar.add_task(what, total=total, start=False)

        def advance(done: int, of: int = total) -> None:
            if bar.tasks[0].started:
                bar.update(task, completed=done, total=max(of, done))
            else:
                bar.reset(task, completed=done)  # a run taken up again is no faster for what was done before

        yield advance


def _lines(total: int, what: str) -> Callable[..., None]:
    begun = told = time.monotonic()
    before: int | None = None

    def advance(done: int, of: int = total) -> None:
        nonlocal before, told
        before = done if before is None else before
        now = time.monotonic()
        if now - told >= EVERY and done > before:
            told = now
            minutes, seconds = divmod(round(max(of - done, 0) * (now - begun) / (done - before)), 60)
            print(f"{what}: {done:,} of {of:,}, {minutes}:{seconds:02d} left", file=sys.stderr, flush=True)

    return advance
