"""jest and vitest: the text is parsed (tree-sitter), the names that differ are exchanged where they stand, and what has
no equal is refused. Everything else keeps its place to the letter."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NoReturn

from engrain.errors import TranslationRefused
from engrain.patterns.mapping import script_table as table
from engrain.patterns.mapping.placeholders import Hidden
from engrain.patterns.mapping.script_tree import (
    FUNCTIONS,
    arguments_of,
    function_of,
    head_of,
    imports_default,
    made_by,
    outermost,
    parameters_of,
    parse,
    walk,
    word,
)  # fmt: skip

if TYPE_CHECKING:
    from tree_sitter import Node

Notes = list[tuple[int | None, str]]
OBJECT = {"jest": "jest", "vitest": "vi"}
MODULE = {"jest": "@jest/globals", "vitest": "vitest"}
DECLARES = {"variable_declarator", "required_parameter", "formal_parameters", "class_declaration"}


def translate_script(hidden: Hidden, language: str, source: str, target: str) -> tuple[str, Notes]:
    """The text for the other framework, and notes. Raises TranslationRefused, ConfigError without the parser."""
    script = _Script(hidden.text, language, source, target)
    made = script.translate()
    if made == hidden.text:
        raise TranslationRefused(f"The template was not translated to {target}: there is nothing of {source} in it.")
    return made, script.notes


class _Script:
    """One text on its way: what is exchanged is gathered as edits, by places in bytes."""

    def __init__(self, text: str, language: str, source: str, target: str) -> None:
        self.bytes = text.encode()
        self.source, self.target = source, target
        self.old, self.new = OBJECT[source], OBJECT[target]
        self.notes: Notes = []
        self.edits: dict[tuple[int, int], str] = {}
        self.wanted: set[str] = set()  # names to import
        self.types: set[str] = set()
        self.imported: Node | None = None
        self.root = parse(text, language)
        self.actual: list[Node] = []

    def translate(self) -> str:
        for node in walk(self.root):
            handler = getattr(self, f"_{node.type}", None)
            if handler is not None:
                handler(node)
        self._imports()
        out, at = [], 0
        for (start, end), new in sorted(self.edits.items()):
            out += [self.bytes[at:start], new.encode()]
            at = end
        return b"".join([*out, self.bytes[at:]]).decode()

    # what stands where

    def _comment(self, node: Node) -> None:
        if f"@{self.source}-environment" in word(node):
            text = word(node).replace(f"@{self.source}-environment", f"@{self.target}-environment")
            self._edit(node, text)

    def _identifier(self, node: Node) -> None:
        name, parent = word(node), node.parent
        if parent is None:
            return
        if parent.type in {"import_specifier", "import_clause", "namespace_import"}:
            return
        declares = parent.type in {
            "variable_declarator",
            "required_parameter",
            "formal_parameters",
            "class_declaration",
        }
        if name == self.new or (name == self.old and declares and parent.child_by_field_name("value") != node):
            self._refuse(node, f"{name} is a name of its own in it")
        if name == self.old:
            if parent.type == "nested_type_identifier" or (
                parent.type == "member_expression" and parent.child_by_field_name("object") == node
            ):
                return
            self._refuse(node, f"{self.old} is handed on as a whole")
        called = parent.type in {"call_expression", "member_expression"} and head_of(parent) == node
        if called and name in table.SHORT and self.target == "vitest":
            self._edit(node, table.SHORT[name])
            self.wanted.add(table.SHORT[name].split(".", maxsplit=1)[0])
        elif name in table.GLOBALS and called:
            self.wanted.add(name)
            self._runner(node, parent)

    def _runner(self, node: Node, parent: Node) -> None:
        """``test``, ``describe``, a hook or ``expect`` where it is called."""
        name = word(node)
        if name == "expect":
            if parent.type == "member_expression" and self.source == "vitest":
                prop = word(parent.child_by_field_name("property"))
                if prop in table.VITEST_EXPECT:
                    self._refuse(node, f"expect.{prop}, which jest has not")
            return
        call, parts = outermost(parent)
        for part in parts:
            prop = word(part)
            renamed = table.FAILING if self.source == "jest" else {new: old for old, new in table.FAILING.items()}
            if prop in renamed:
                self._edit(part, renamed[prop])
            elif prop not in table.MODIFIERS:
                self._refuse(part, f"{name}.{prop}, which {self.target} has not")
        if call is None:
            return
        args = arguments_of(call)
        if self.source == "vitest" and len(args) > 1 and args[1].type == "object":
            self._refuse(args[1], "options of a test, which jest has not")
        functions = [arg for arg in args if arg.type in FUNCTIONS]
        each = any(word(part) == "each" for part in parts)
        if functions and not each and name != "describe" and parameters_of(functions[0]):
            what = (
                "done, which vitest has not" if self.source == "jest" else "the context of the test, which jest has not"
            )
            self._refuse(functions[0], what)
        if functions and name in table.HOOKS:
            self._hook(functions[0])

    def _hook(self, function: Node) -> None:
        """A hook of vitest may answer with what to do afterwards; jest does not look at the answer."""
        body = function.child_by_field_name("body")
        if body is None:
            return
        answers = [body] if body.type != "statement_block" else [
            one.named_children[0] for one in walk(body)
            if one.type == "return_statement" and one.named_children and function_of(one) == function
        ]  # fmt: skip
        for one in answers:
            text = word(one)
            if text.startswith(f"{self.old}.") and not text.startswith(f"{self.old}.fn"):
                continue
            if self.source == "vitest" and one.type in FUNCTIONS | {"identifier"}:
                self._refuse(one, "a hook that answers with what to do afterwards")
            if one.type in FUNCTIONS | {"identifier", "call_expression"}:
                self._note(one, "if this hook answers with a function, vitest runs it afterwards and jest does not")

    def _member_expression(self, node: Node) -> None:
        owner, prop = node.child_by_field_name("object"), node.child_by_field_name("property")
        name = word(prop)
        if owner is None or prop is None:
            return
        if owner.type == "identifier" and word(owner) == self.old:
            self._member(node, owner, prop)
            return
        called = node.parent is not None and node.parent.type == "call_expression"
        if called and owner.type == "call_expression":
            inner = owner.child_by_field_name("function")
            chain = inner.child_by_field_name("property") if inner is not None else None
            first = inner.child_by_field_name("object") if inner is not None else None
            if word(chain) in table.CHAINED and word(first).split(".", maxsplit=1)[0].split("(")[0] == self.old:
                if name not in table.SAME:
                    self._refuse(node, f"{self.old}.{name} in a chain")
                return
        if not called:
            return
        if name in table.MATCHER_ALIASES and "expect(" in word(owner):
            self._edit(prop, table.MATCHER_ALIASES[name])
        elif self.source == "vitest" and "expect(" in word(owner):
            if name == "toHaveBeenCalledOnce":
                self._edit(prop, "toHaveBeenCalledTimes")
                arguments = node.parent.child_by_field_name("arguments") if node.parent else None
                if arguments is not None and word(arguments) == "()":
                    self._edit(arguments, "(1)")
            elif name in table.VITEST_MATCHERS:
                self._refuse(prop, f"{name}, which jest has not")
        if name in table.NOTES:
            self._note(prop, table.NOTES[name])

    def _member(self, node: Node, owner: Node, prop: Node) -> None:
        """``jest.name`` or ``vi.name``."""
        name = word(prop)
        call = node.parent if node.parent is not None and node.parent.type == "call_expression" else None
        actual = (
            table.ACTUAL
            if self.source == "jest"
            else {new: old for old, new in table.ACTUAL.items()} | {"importMock": "requireMock"}
        )
        other = table.OTHER_NAME if self.source == "jest" else {new: old for old, new in table.OTHER_NAME.items()}
        if name in actual and call is not None:
            (self._wait if self.source == "jest" else self._at_once)(call, actual[name])
        elif name in ("setTimeout", "setConfig") and call is not None:
            self._timeout(call, name)
        elif name in other:
            self._edit(prop, other[name])
            self._edit(owner, self.new)
            self.wanted.add(self.new)
        elif name in table.SAME:
            self._edit(owner, self.new)
            self.wanted.add(self.new)
            if call is not None:
                self._same(call, name)
        else:
            self._refuse(node, f"{self.old}.{name}, which {self.target} has not")
        if name in table.NOTES:
            self._note(prop, table.NOTES[name])

    def _same(self, call: Node, name: str) -> None:
        args = arguments_of(call)
        kinds = call.child_by_field_name("type_arguments")
        if name in {"mock", "doMock"}:
            self._mock(args)
        elif name == "useFakeTimers" and args:
            keys = {word(pair.child_by_field_name("key")) for pair in args[0].named_children}
            if self.source == "jest" and word(args[0]).strip("'\"") == "modern":
                self._edit(args[0], "")
            elif args[0].type != "object" or keys - {"now"}:
                self._refuse(args[0], "fake timers with settings that the other has not")
        elif name == "fn" and kinds is not None and kinds.named_child_count != 1:
            self._refuse(call, f"{self.old}.fn with the types of its answer and of its arguments apart")
        elif name == "mocked" and len(args) > 1:
            self._refuse(call, f"{self.old}.mocked with settings")

    def _mock(self, args: list[Node]) -> None:
        """The mock of a module: the path, and a function that makes it."""
        if not args or args[0].type not in {"string", "identifier", "template_string"} or len(args) > 2:
            self._refuse(args[0] if args else self.root, "a module's mock with settings, or without its path as a text")
        if len(args) < 2:
            return
        factory = args[1]
        if factory.type not in FUNCTIONS:
            self._refuse(factory, "a module's mock that is no function written there")
        made = made_by(factory)
        if made is None or made.type != "object":
            self._refuse(factory, "a module's mock that does not answer with an object written there")
        keys = {word(pair.child_by_field_name("key")).strip("'\"") for pair in made.named_children}
        if self.source == "jest":
            if "default" not in keys and imports_default(self.root, word(args[0])):
                self._refuse(factory, "a mock without default of a module of which the default is imported")
            return
        if "default" in keys and "__esModule" not in keys:
            self.edits[made.start_byte + 1, made.start_byte + 1] = " __esModule: true,"
        params = parameters_of(factory)
        waits = [one for one in walk(factory) if one.type == "await_expression" and function_of(one) == factory]
        for one in waits:
            inner = one.named_children[0]
            callee = word(inner.child_by_field_name("function")) if inner.type == "call_expression" else ""
            if params and callee == word(params[0]).split(":")[0]:
                self._edit(one.parent if one.parent and one.parent.type == "parenthesized_expression" else one,
                           f"jest.requireActual({word(args[0])})")  # fmt: skip
                self.wanted.add("jest")
            elif callee != "vi.importActual":
                self._refuse(one, "a module's mock that waits: jest's must answer at once")
        inside = word(factory)
        if params and len(re.findall(rf"\b{re.escape(word(params[0]).split(':')[0])}\b", inside)) != 1 + sum(
            word(params[0]).split(":")[0] in word(one) for one in waits
        ):
            self._refuse(factory, "a module's mock that uses the original in another way than waiting for it")
        if len(params) > 1:
            self._refuse(factory, "a module's mock with several parameters")
        if params:
            listed = factory.child_by_field_name("parameters") or factory.child_by_field_name("parameter")
            if listed is not None:
                self._edit(listed, "()")
        for child in factory.children:
            if child.type == "async":
                self.edits[child.start_byte, child.end_byte + 1] = ""

    def _wait(self, call: Node, name: str) -> None:
        """jest.requireActual(path) becomes a promise that is waited for, where the code around can wait."""
        around = function_of(call)
        if around is not None and not any(child.type == "async" for child in around.children):
            outer = around.parent.parent if around.parent is not None else None
            inner = outer.child_by_field_name("function") if outer is not None else None
            if inner is None or word(inner) not in {"jest.mock", "jest.doMock"}:
                self._refuse(call, "the original of a module where the code cannot wait for it")
            self.edits[around.start_byte, around.start_byte] = "async "
        args = ", ".join(word(arg) for arg in arguments_of(call))
        kinds = word(call.child_by_field_name("type_arguments"))
        self._edit(call, f"(await vi.{name}{kinds}({args}))")
        self.wanted.add("vi")
        self._note(call, f"vi.{name} answers with the module's namespace; a CommonJS module stands under default")

    def _at_once(self, call: Node, name: str) -> None:
        waits = call.parent
        if waits is None or waits.type != "await_expression":
            self._refuse(call, f"vi.import… that is not waited for on the spot: jest.{name} answers at once")
        around = waits.parent if waits.parent is not None and waits.parent.type == "parenthesized_expression" else waits
        args = ", ".join(word(arg) for arg in arguments_of(call))
        kinds = word(call.child_by_field_name("type_arguments"))
        self._edit(around, f"jest.{name}{kinds}({args})")
        self.wanted.add("jest")

    def _timeout(self, call: Node, name: str) -> None:
        args = arguments_of(call)
        if self.source == "jest" and name == "setTimeout" and len(args) == 1:
            self._edit(call, f"vi.setConfig({{ testTimeout: {word(args[0])} }})")
            self.wanted.add("vi")
            return
        pairs = args[0].named_children if self.source == "vitest" and args and args[0].type == "object" else []
        if len(pairs) == 1 and word(pairs[0].child_by_field_name("key")) == "testTimeout":
            self._edit(call, f"jest.setTimeout({word(pairs[0].child_by_field_name('value'))})")
            self.wanted.add("jest")
            return
        self._refuse(call, f"{self.old}.{name} with settings that the other has not")

    def _nested_type_identifier(self, node: Node) -> None:
        if word(node.child_by_field_name("module")) != "jest" or self.source != "jest":
            return
        name = word(node.child_by_field_name("name"))
        generic = node.parent is not None and node.parent.type == "generic_type"
        if name not in table.TYPES or (generic and name not in table.WITH_ARGUMENTS):
            self._refuse(node, f"the type jest.{name}{' with arguments' if generic else ''}")
        self._edit(node, table.TYPES[name])
        self.types.add(table.TYPES[name])

    def _call_expression(self, node: Node) -> None:
        function = node.child_by_field_name("function")
        if word(function) != "require" or self.target != "vitest":
            return
        path = ", ".join(word(arg) for arg in arguments_of(node)).strip("'\"")
        if path == "@jest/globals":
            self._refuse(node, "require of @jest/globals: vitest is only imported")
        if b"jest.mock(" in self.bytes or b"jest.doMock(" in self.bytes:
            self._refuse(node, "require in a file with mocks: vitest's mocks hold for imports alone")
        self._note(node, "require: vitest runs modules; an import is surer")

    def _import_statement(self, node: Node) -> None:
        path = word(node.child_by_field_name("source")).strip("'\"")
        if path == MODULE[self.target]:
            self._refuse(node, f"it imports {path} already")
        if path != MODULE[self.source]:
            return
        if self.imported is not None:
            self._refuse(node, f"{path} is imported twice")
        self.imported = node
        for one in walk(node):
            if one.type == "namespace_import":
                self._refuse(node, f"{path} is imported as a whole")
            if one.type == "import_specifier":
                self._specifier(node, one)

    def _specifier(self, node: Node, one: Node) -> None:
        name = word(one.child_by_field_name("name"))
        if one.child_by_field_name("alias") is not None:
            self._refuse(node, f"{name} is imported by another name")
        types = table.TYPES if self.source == "jest" else {new: old for old, new in table.TYPES.items()}
        if name == self.old:
            return
        if name in types and self.source == "vitest":
            self._refuse(node, f"the type {name}, which is jest.{types[name]} there")
        if name not in table.GLOBALS:
            self._refuse(node, f"{name} of {MODULE[self.source]}, which {self.target} has not")

    def _imports(self) -> None:
        """The import line of the other framework, in the place of the one there was, or at the head."""
        if not self.wanted and not self.types and self.imported is None:
            return
        quote = "'" if self.bytes.count(b"'") >= self.bytes.count(b'"') else '"'
        semi = ";" if b";" in self.bytes or self.imported is None else ""
        listed = ", ".join([*sorted(self.wanted), *(f"type {name}" for name in sorted(self.types))])
        line = f"import {{ {listed} }} from {quote}{MODULE[self.target]}{quote}{semi}"
        if self.imported is not None:
            if listed:
                self._edit(self.imported, line)
            else:
                self.edits[self.imported.start_byte, self.imported.end_byte + 1] = ""
            return
        if self.target == "jest" or not listed:
            return  # jest gives its names to everybody
        place = 0
        for one in self.root.children:  # behind a comment at the head, which may be a docblock
            if one.type not in {"comment", "hash_bang_line"} or one.start_point.row > 30:
                break
            place = one.end_byte
        self.edits[place, place] = f"\n{line}" if place else f"{line}\n"

    def _edit(self, node: Node, text: str) -> None:
        """Replace a node. What stands inside was looked at before or goes with it."""
        start, end = node.start_byte, node.end_byte
        for inner in [place for place in self.edits if start <= place[0] and place[1] <= end]:
            del self.edits[inner]
        if not any(outer[0] <= start and end <= outer[1] and outer[0] < outer[1] for outer in self.edits):
            self.edits[start, end] = text

    def _note(self, node: Node, text: str) -> None:
        if text not in {words for _, words in self.notes}:
            self.notes.append((node.start_point.row + 1, text))

    def _refuse(self, node: Node, why: str) -> NoReturn:
        line = node.start_point.row + 1
        raise TranslationRefused(f"Line {line} of the template has no equal in {self.target}: {why}.")
