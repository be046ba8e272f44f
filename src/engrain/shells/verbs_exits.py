"""The verbs by which memories leave and come back: export, import, backup, restore."""

from __future__ import annotations

from engrain.model.exchange import CONFLICTS, Exported, Imported
from engrain.shells.fields import Field
from engrain.shells.verb import LOCAL, Verb

EXITS: tuple[Verb, ...] = (
    Verb(
        "export",
        "Write all memories of the agent to a file: active, superseded and archived, with everything known of them. "
        "Fixes, patterns and what was learned have exports of their own.",
        (
            Field(
                "path",
                "text",
                "The file: mem.json, mem.jsonl or mem.csv; one that is there is replaced.",
                positional=True,
            ),
            Field("format", "text", "json, jsonl or csv, when the suffix does not say it.", None),
        ),
        Exported,
        does="export_to",
        shells=LOCAL,
        progress=True,
    ),
    Verb(
        "import",
        "Take in an export, or what mem0, the MCP memory server, Claude Code or a folder of Markdown notes holds.",
        (
            Field("path", "text", "The file or folder.", positional=True),
            Field(
                "format",
                "text",
                "json, jsonl, csv, mem0, mcp-memory, claude-code or markdown, when it cannot be told.",
                None,
            ),
            Field("on_conflict", "choice", "What a row does that meets a memory.", "keep-newer", CONFLICTS),
            Field(
                "partial",
                "flag",
                "Leave out rows that are refused, instead of changing nothing.",
                False,
                option="--partial",
            ),
        ),
        Imported,
        does="import_from",
        shells=LOCAL,
        destroys=True,
        repeats=True,
        progress=True,
    ),
)
