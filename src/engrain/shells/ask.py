"""The commands whose answers are tables: SQL and reports, on the screen, in a file, or as a chart."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import engrain
from engrain.errors import InvalidField
from engrain.model.report import ReportRows, counted
from engrain.shells.plain import dumped, json_value, plain, printable
from engrain.shells.screen import console, hanging, line, progress, put, table
from engrain.upkeep import outside

if TYPE_CHECKING:
    import pyarrow as pa

    from engrain.memory import Memory
    from engrain.shells.commands import Place

SHOWN, TURNED = 200, 20  # rows on a screen, and of those that are too wide for it
WORD, NAME = 32, 30  # characters of a word that is not broken, and of a column's name beside its value
BLOCKS, STYLES = "█▓▒░▚", ("green", "red", "yellow", "cyan", "magenta")
BATCH = 10_000  # rows that are written at once
HEALTH = "health"


def sql(place: Place, given: Mapping[str, Any], *, whole: bool) -> int:
    """Ask SQL of everything, or of what the agent may see."""
    asked = given["statement"], given.get("parameters")
    with engrain.open(place.home) as memory:
        _free(memory, given)
        if whole:
            with progress(0, "read") as advance:
                found = memory.archive.sql(*asked, progress=advance)
        else:
            found = memory.agent(place.agent, tenant=place.tenant, team=place.team).sql(*asked)
    _write(found, given.get("format") or ("json" if place.json else None), given.get("output"))
    return 0


def report(place: Place, given: Mapping[str, Any]) -> int:
    """List the reports, make one, or tell of the home's health."""
    name = given.get("name") or (HEALTH if given.get("html") or given.get("last") else None)
    with engrain.open(place.home) as memory:
        _free(memory, given)
        if name == HEALTH:
            health = memory.report(last=given.get("last", False))
            if place.json:
                print(dumped(plain(health), indent=2))
            else:
                print(health.html if given.get("html") else printable(health.markdown), end="")
            return 0
        if name is None:
            reports = memory.reports()
        else:
            chosen = {key: given[key] for key in ("days", "tenant", "agent") if key in given}
            made = memory.run_report(name, **chosen)
    if name is None:
        if place.json:
            print(dumped(plain({"reports": reports}), indent=2))
        else:
            table([*((one.name, one.about) for one in reports), (HEALTH, "How the home fared in the last week")])
        return 0
    return _report(place, given, made)


def _report(place: Place, given: Mapping[str, Any], made: ReportRows) -> int:
    drawn, output = given.get("chart"), given.get("output")
    if drawn in ("svg", "png"):
        from engrain.shells.pictures import draw

        if not output:
            raise InvalidField(f"A chart in {drawn} needs a file: --output report.{drawn}.")
        with replaced(Path(output)) as file:
            file.write(draw(made, drawn))
        return 0
    if drawn == "terminal":
        bars(made)
        return 0
    how = given.get("format")
    if how in ("csv", "parquet") or output:
        _write(_table(made), how, output)
    elif place.json or how == "json":
        print(dumped(plain(made), indent=2))
    else:
        listed(made)
    return 0


# -- on the screen ----------------------------------------------------------------------------------------------------


def listed(made: ReportRows) -> None:
    """A report as a table."""
    line((made.report.about, "bold"), (f"  {made.of}", "dim"))
    _rows(made.columns, made.rows, _words)


def bars(made: ReportRows) -> None:
    """A chart of a report, as lines of blocks: a part of a bar for each value, and a sign for one below nothing."""
    from rich.cells import cell_len
    from rich.text import Text

    from engrain.shells.screen import columns

    info = made.report
    line((info.about, "bold"), (f"  {made.of}", "dim"))
    stacked = info.chart != "lines"
    values = info.values if stacked else info.values[:1]
    line(*((f"{BLOCKS[i]} {_words(name)}  ", STYLES[i]) for i, name in enumerate(values)))
    sums = [sum(abs(one[name] or 0) for name in values) for one in made.rows]
    top = max((*sums, 1e-9))
    labels = [printable(str(one[info.label])) for one in made.rows]
    beside = [max(cell_len(text) for text in (info.label, *labels)), *(max(len(name), 9) for name in info.values)]
    room = max(10, min(60, console.width - sum(beside) - 2 * len(beside)))
    grid = columns([info.label, "", *map(_words, info.values)], shown=True)
    for column in grid.columns[2:]:
        column.justify = "right"
    for label, one in zip(labels, made.rows, strict=True):
        drawn = Text()
        for i, name in enumerate(values):
            number = one[name] or 0
            drawn.append(BLOCKS[i] * round(abs(number) / top * room), STYLES[i] if number >= 0 else "red")
        grid.add_row(label, drawn, *(_cell(one[name]) for name in info.values))
    put(grid)


def _cell(value: Any) -> str:
    told = json_value(value)
    if told is None:
        return ""
    if isinstance(told, bool):
        return "yes" if told else "no"
    if isinstance(told, int):
        return str(told)
    return f"{told:.6g}" if isinstance(told, float) else told if isinstance(told, str) else dumped(told)


def _words(name: str) -> str:
    return name.replace("_", " ")


def _rows(names: Sequence[str], rows: Sequence[Mapping[str, Any]], shown: Callable[[str], str] = str) -> int:
    """Show rows and tell how many: in a table or, where the screen is too narrow for its words, each as a list."""
    from rich.cells import cell_len

    cells = [[_cell(row[name]) for name in names] for row in rows]
    heads = [shown(name) for name in names]
    words = [" ".join(column).split() for column in zip(heads, *cells, strict=True)]
    least = [min(WORD, max(map(cell_len, column), default=0)) for column in words]
    if sum(least) + 2 * len(least) - 2 <= console.width:
        first: Mapping[str, Any] = next(iter(rows), {})
        signs = (">" if isinstance(first.get(name), int | float) else "" for name in names)
        table(cells, [sign + head for sign, head in zip(signs, heads, strict=True)], least)
        return len(rows)
    for number, row in enumerate(cells[:TURNED]):
        if number:
            console.print()
        table(
            [
                (name if len(name) <= NAME else name[: NAME - 1] + "…", cell)
                for name, cell in zip(heads, row, strict=True)
            ]
        )
    return min(len(rows), TURNED)


# -- to a file --------------------------------------------------------------------------------------------------------


def _table(made: ReportRows) -> pa.Table:
    import pyarrow as pa

    return pa.table({name: [one[name] for one in made.rows] for name in made.columns})


def _write(found: pa.Table, how: str | None, output: str | None) -> None:
    """Write rows in a format, to a file when one is named; its suffix tells the format where none is given."""
    suffix = Path(output).suffix.lstrip(".") if output else ""
    how = how or (suffix if suffix in ("json", "csv", "parquet") else "table")
    if output:
        if how == "table":
            raise InvalidField("A file is json, csv or parquet: --format says which.")
        with replaced(Path(output)) as file:
            _formatted(found, how, file)
        print(f"{counted(found.num_rows, 'row')} written to {printable(output)}", file=sys.stderr)
    elif how == "table":
        _screen(found)
    else:
        if how == "parquet" and sys.stdout.isatty():
            raise InvalidField("Parquet is no text: name a file with --output, or send it somewhere.")
        sys.stdout.flush()
        _formatted(found, how, sys.stdout.buffer)


def _screen(found: pa.Table) -> None:
    rows = found.slice(0, SHOWN).to_pylist() if found.num_columns else []
    if (left := found.num_rows - _rows(found.column_names, rows)) > 0:
        hanging(0, (f"… and {counted(left, 'more row')}; --format csv or --output FILE has them all", "dim"))


def _formatted(found: pa.Table, how: str, file: BinaryIO) -> None:
    if how == "parquet":
        import pyarrow.parquet as pq

        pq.write_table(found, file, compression="zstd")
        return
    text = io.TextIOWrapper(file, encoding="utf-8", errors="backslashreplace", newline="")
    names = found.column_names
    written = csv.writer(text, lineterminator="\n")
    if how == "csv":
        written.writerow(names)
    else:
        text.write("[")
    begun = False
    for batch in found.to_batches(max_chunksize=BATCH):
        for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            values = [json_value(one) for one in row]
            if how == "csv":
                written.writerow([dumped(one) if isinstance(one, list | dict) else one for one in values])
            else:
                text.write((",\n " if begun else "\n ") + dumped(dict(zip(names, values, strict=True))))
            begun = True
    if how == "json":
        text.write("\n]\n")
    text.flush()
    text.detach()


def _free(memory: Memory, given: Mapping[str, Any]) -> None:
    """Refuse an output that would replace the memory itself, before any work is done."""
    if output := given.get("output"):
        outside(memory.store, memory.home, memory.config, output)


@contextmanager
def replaced(path: Path) -> Iterator[BinaryIO]:
    """A file that gets its name when it is whole."""
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as file:
            yield file
        part.replace(path)
    except OSError as error:
        raise InvalidField(f"{path} cannot be written: {error.strerror}.") from error
    finally:
        part.unlink(missing_ok=True)
