"""How each language writes one call of a stack trace, and the line that says what went wrong.

A line is read by hand where a pattern could be made to backtrack: every function here is linear in the line's length.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from engrain.fixes.frames import Frame

Reader = Callable[[str, str], Frame | None]
"""(the line, stripped of what surrounds it; the line before it) → a frame, or None."""

NAME = r"[A-Za-z_$][\w$]*(?:(?:\.|::|\\)[A-Za-z_$][\w$]*)*"
_FAULT = r"(?:Exception|Error|Throwable|Failure|Failed|Fault|Interrupt|Exit|Warning|Timeout|Panic|Mismatch|NotFound)"
STRICT = re.compile(
    rf"^(?:Exception in thread \"[^\"]*\" |Unhandled exception\. |Uncaught )?({NAME})(?::\s?(.*))?$", re.S
)
INSIDE = re.compile(rf"(?:^|[\s:(\[\"'])((?:[A-Za-z_$][\w$]*\.)*[A-Z]?[\w$]*{_FAULT})(?::\s?(.*))?$", re.S)
LOOKS = re.compile(rf"{_FAULT}(?:\$?\d+)?$")


def header(line: str, *, strict: bool = True) -> tuple[str, str] | None:
    """The exception and the message of a line that says both, or None. Not ``strict``: it may stand inside a line of a
    log."""
    found = STRICT.match(line)
    parts = re.split(r"[.\\:]", found[1]) if found else []
    if found and ((len(parts) > 1 and parts[-1][:1].isupper()) or LOOKS.search(found[1])):
        return found[1].lstrip("\\"), (found[2] or "").strip()
    if not strict and (inside := INSIDE.search(line)):
        return inside[1], (inside[2] or "").strip()
    return None


def number(text: str) -> int:
    """A line number, 0 where it is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 8 else 0


def place(text: str) -> tuple[str, int]:
    """``file:line[:column]`` → file and line; whatever else → all of it and 0."""
    head, _, tail = text.rpartition(":")
    if head and tail.isdigit():
        before, _, line = head.rpartition(":")
        return (before, number(line)) if before and line.isdigit() and len(before) > 1 else (head, number(tail))
    return text, 0


def python(line: str, before: str) -> Frame | None:
    """``File "app.py", line 3, in run``"""
    if not line.startswith('File "'):
        return None
    file, _, rest = line[6:].partition('", line ')
    digits, _, name = rest.partition(", in ")
    return Frame(name.strip() or "<module>", "", file, number(digits.strip())) if rest else None


def at(line: str, before: str) -> Frame | None:
    """``at …``: the JVM, JavaScript and .NET, told apart by what stands in the brackets."""
    if not line.startswith("at "):
        return None
    body = line[3:].removesuffix(" {").strip()
    if ".rs:" in body and "(" not in body:
        return None
    if ") in " in body and ":line " in body:
        call, _, where = body.rpartition(") in ")
        file, _, digits = where.rpartition(":line ")
        return _dotted(call.partition("(")[0], file, number(digits.strip()))
    if body.endswith(")") and "(" in body:
        name, _, inner = body[:-1].rpartition(" (") if " (" in body else body[:-1].partition("(")
        file, line_number = place(inner)
        if " (" in body and (line_number or inner in {"<anonymous>", "native", "index 0"} or "node:" in inner):
            return _javascript(name, file, line_number)
        name, _, inner = body[:-1].partition("(")
        file, line_number = place(inner)
        known = (
            line_number
            or inner in {"Native Method", "Unknown Source", "<generated>"}
            or inner.endswith((".java", ".kt"))
        )
        return _dotted(name.rpartition("/")[2] if known else name, file if line_number else "", line_number)
    file, line_number = place(body.removeprefix("async "))
    return _javascript("<anonymous>", file, line_number) if line_number and " " not in file.strip() else None


def _dotted(name: str, file: str, line: int) -> Frame | None:
    name = name.strip()
    module, _, function = name.rpartition(".")
    if module.endswith("."):  # .NET: Class..ctor
        module, function = module[:-1], ".ctor"
    if not function or " " in module or not re.match(r"[\w$<]", name):
        return None
    return Frame(function, module, file, line)


def _javascript(name: str, file: str, line: int) -> Frame:
    for word in ("async ", "new ", "Promise.all "):
        name = name.removeprefix(word)
    name = name.partition(" [as ")[0].strip()
    module, _, function = name.rpartition(".")
    # The receiver says little, the file says where: Object.<anonymous>, Module.run, Foo.bar.
    return Frame(
        function if module in {"Object", "Module", "Function"} else name, "", file.removeprefix("file://"), line
    )


def firefox(line: str, before: str) -> Frame | None:
    """``run@https://host/app.js:3:5``, as Firefox and Safari write it."""
    name, sign, where = line.partition("@")
    if not sign or " " in where or not where:
        return None
    file, line_number = place(where)
    known = line_number and where.count(":") > 1 and ("/" in file or file.endswith("js"))
    return Frame(name.rstrip("/<") or "<anonymous>", "", file, line_number) if known else None


def go(line: str, before: str) -> Frame | None:
    """A line ``/src/app/main.go:12 +0x1d`` completes the call above it."""
    where = line.partition(" +0x")[0]
    file, line_number = place(where)
    if not line_number or not file.endswith((".go", ".s")) or " " in file:
        return None
    call = before.strip().removeprefix("created by ").partition(" in goroutine ")[0]
    if not call or " " in call.partition("(")[0]:
        return None
    name = call[: call.rfind("(")] if call.endswith(")") else call
    path, _, last = name.rpartition("/")
    package, _, function = last.partition(".")
    return Frame(function or last, f"{path}/{package}" if path else package, file, line_number) if last else None


def rust(line: str, before: str) -> Frame | None:
    """A line ``at ./src/main.rs:4:5`` completes ``3: crate::module::function`` above it."""
    if not line.startswith("at ") or "(" in line:
        return None
    file, line_number = place(line[3:].strip())
    digits, colon, name = before.strip().partition(": ")
    if not line_number or not colon or not digits.strip().isdigit():
        return None
    module, _, function = re.sub(r"::h[0-9a-f]{16}$", "", name.strip()).rpartition("::")
    return Frame(function, module.replace("::", "."), file, line_number)


def ruby(line: str, before: str) -> Frame | None:
    """``from app/models/user.rb:7:in 'User#name'``"""
    where, mark, name = line.removeprefix("from ").partition(":in ")
    file, line_number = place(where)
    if not mark or not line_number or name[:1] not in "`'" or " " in file:
        return None
    name = name[1:].partition("'")[0]
    module, _, function = name.rpartition("#") if "#" in name else name.rpartition(".")
    return Frame(function, module.replace("::", "."), file, line_number)


def php(line: str, before: str) -> Frame | None:
    """``#0 /app/src/Job.php(15): App\\Job->run()``"""
    if not line.startswith("#"):
        return None
    digits, _, rest = line[1:].partition(" ")
    if not digits.isdigit() or rest == "{main}":
        return None
    where, mark, call = rest.partition(": ")
    file, bracket, inner = where.rpartition("(")
    if not mark or (not bracket and where != "[internal function]"):
        return None
    name = call.partition("(")[0].replace("->", "::").replace("\\", ".")
    module, _, function = name.rpartition("::")
    return Frame(function, module, file or where, number(inner.rstrip(")"))) if function else None


READERS: dict[str, Reader] = {
    **{"python": python, "at": at, "go": go, "rust": rust, "ruby": ruby, "php": php, "firefox": firefox}
}
"""By dialect. No line is read by more than one of them."""
