"""The tree of a script (tree-sitter), and what is asked of its nodes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from engrain.errors import ConfigError, TranslationRefused

if TYPE_CHECKING:
    from tree_sitter import Node

FUNCTIONS = {"arrow_function", "function_expression", "function_declaration", "method_definition", "generator_function"}


def parse(text: str, language: str = "") -> Node:
    """The tree of a script, in JavaScript or TypeScript. Raises TranslationRefused where it is neither."""
    try:
        import tree_sitter_javascript
        import tree_sitter_typescript
        from tree_sitter import Language, Parser
    except ImportError as missing:
        raise ConfigError(
            "To translate JavaScript patterns tree-sitter is needed: pip install 'engrain[patterns]'."
        ) from missing
    grammars = [
        tree_sitter_typescript.language_tsx,
        tree_sitter_typescript.language_typescript,
        tree_sitter_javascript.language,
    ]
    if language.lower() in {"ts", "typescript"}:
        grammars[:2] = grammars[1::-1]
    for grammar in grammars:
        root = Parser(Language(grammar())).parse(text.encode()).root_node
        if not root.has_error:
            return root
    raise TranslationRefused("The template is neither JavaScript nor TypeScript.")


def word(node: Node | None) -> str:
    """The text of a node."""
    return node.text.decode() if node is not None and node.text is not None else ""


def walk(node: Node) -> Iterator[Node]:
    """A node and all below it, in the order of the text, without recursion."""
    todo = [node]
    while todo:
        one = todo.pop()
        yield one
        todo += reversed(one.children)


def head_of(node: Node) -> Node | None:
    return node.child_by_field_name("function") or node.child_by_field_name("object")


def outermost(node: Node) -> tuple[Node | None, list[Node]]:
    """From ``test`` in ``test.skip.each(rows)(name, run)`` the last call, and the words between."""
    parts: list[Node] = []
    call: Node | None = None
    one: Node | None = node
    while one is not None and one.type in {"member_expression", "call_expression"}:
        if one.type == "member_expression":
            prop = one.child_by_field_name("property")
            parts += [prop] if prop is not None and call is None else []
        else:
            call = one
        up = one.parent
        one = up if up is not None and head_of(up) == one else None
    return call, parts


def arguments_of(call: Node) -> list[Node]:
    listed = call.child_by_field_name("arguments")
    return [one for one in listed.named_children if one.type != "comment"] if listed is not None else []


def parameters_of(function: Node) -> list[Node]:
    single = function.child_by_field_name("parameter")
    listed = function.child_by_field_name("parameters")
    return [single] if single is not None else list(listed.named_children) if listed is not None else []


def function_of(node: Node) -> Node | None:
    """The function that a node stands in; None at the top level."""
    one = node.parent
    while one is not None and one.type not in FUNCTIONS:
        one = one.parent
    return one


def made_by(function: Node) -> Node | None:
    """What a function answers with, where that is one thing written there."""
    body = function.child_by_field_name("body")
    if body is not None and body.type == "statement_block":
        returns = [one for one in walk(body) if one.type == "return_statement" and function_of(one) == function]
        body = returns[0].named_children[0] if len(returns) == 1 and returns[0].named_children else None
    while body is not None and body.type == "parenthesized_expression":
        body = body.named_children[0]
    return body


def imports_default(root: Node, path: str) -> bool:
    """Whether a script imports the default of a module; ``path`` in quotes."""
    for one in root.named_children:
        source = word(one.child_by_field_name("source"))
        if one.type == "import_statement" and source.strip("'\"") == path.strip("'\""):
            clauses = [child for child in one.named_children if child.type == "import_clause"]
            if any(child.type == "identifier" for clause in clauses for child in clause.named_children):
                return True
    return False
