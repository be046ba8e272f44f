"""What SQL over the archive may say: one SELECT over the tables that are there, and functions that only compute.

The database that runs it is sealed as well; this is the first of two doors, and the one that says why.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any

import duckdb

from engrain.errors import QueryRefused

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

COLOUR = re.compile(r"\x1b\[[0-9;]*m")  # libraries paint what they say
_NODES = {"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"}
_ASK = "select json_serialize_sql(?), (select list(view_name) from duckdb_views() where internal "
_ASK += "and schema_name <> 'information_schema')"  # those have to be named with their schema
_TABLE_FUNCTIONS = {"range", "generate_series", "unnest", "json_each", "json_tree"}
# Functions that tell of the machine, wait, or keep something.
_REFUSED = {
    "current_setting", "getvariable", "write_log", "parse_duckdb_log_message", "sleep_ms", "pg_sleep", "nextval",
    "currval", "setval", "setseed", "in_search_path", "json_execute_serialized_sql", "getenv", "add_parquet_key",
    "current_connection_id", "current_query_id", "current_transaction_id", "txid_current",
}  # fmt: skip


def check(connection: DuckDBPyConnection, statement: str, tables: Collection[str]) -> None:
    """Raises QueryRefused unless it is one SELECT over these tables."""
    try:
        parsed = connection.extract_statements(statement)
    except duckdb.Error as error:
        raise QueryRefused(told(error)) from error
    if len(parsed) != 1:
        raise QueryRefused(f"Give one statement, not {len(parsed)}.")
    try:
        kind = parsed[0].type.name
    except ValueError:  # one that the library has no name for
        kind = "this"
    if kind != "SELECT":
        raise QueryRefused(f"Only SELECT may be run here, not {kind}.")
    asked = connection.cursor()
    try:
        text, own = asked.execute(_ASK, [statement]).fetchall()[0]
        tree = json.loads(text)
    except (duckdb.Error, ValueError, RecursionError) as error:
        raise QueryRefused(told(error)) from error
    finally:
        asked.close()
    if tree["error"]:
        raise QueryRefused(str(tree.get("error_message")))
    nodes = list(_walk(tree))
    # A name of WITH holds only inside it; elsewhere it could stand for a table of the database itself.
    if odd := next((one for node in nodes for one in _named(node) if one.lower() in own), None):
        raise QueryRefused(f"Give {odd!r} another name.")
    known = {one.lower() for one in tables} | {key.lower() for node in nodes for key in _named(node)}
    for node in nodes:
        if why := _wrong(node, known):
            raise QueryRefused(why)


def told(error: BaseException) -> str:
    """An error of the database in a few words."""
    text = COLOUR.sub("", str(error)).strip()
    first = text.split("\n\n")[0].split("\nLINE ")[0]
    return " ".join(first.split())[:500]


def _walk(tree: Any) -> Iterator[dict[str, Any]]:
    todo = [tree]
    while todo:
        one = todo.pop()
        if isinstance(one, dict):
            yield one
            todo.extend(one.values())
        elif isinstance(one, list):
            todo.extend(one)


def _named(node: dict[str, Any]) -> list[str]:
    """The names that a WITH gives."""
    named = node.get("cte_map")
    return [one["key"] for one in named["map"]] if isinstance(named, dict) else []


def _wrong(node: dict[str, Any], known: Collection[str]) -> str:
    """What of a part of the statement may not be; empty when nothing is."""
    kind = str(node.get("type", ""))
    if kind.endswith("_NODE") and kind not in _NODES:
        return f"Only SELECT may be run here, not {kind.removesuffix('_NODE').removesuffix('_QUERY')}."
    if kind == "BASE_TABLE":
        name = ".".join(filter(None, (node["catalog_name"], node["schema_name"], node["table_name"])))
        if name.lower() not in known:
            return f"There is no table {name!r} here; `engrain archive tables` lists those there are."
    if kind == "SHOW_REF" and node["show_type"] == "SHOW_SPECIAL":
        return "`engrain archive tables` lists the tables and their columns."
    if kind == "TABLE_FUNCTION" and node["function"].get("function_name", "").lower() not in _TABLE_FUNCTIONS:
        return f"The function {node['function'].get('function_name')!r} may not be used here."
    if node.get("class") == "FUNCTION" and (node["function_name"].lower() in _REFUSED or node["catalog"]):
        return f"The function {node['function_name']!r} may not be used here."
    return ""
