"""Collects the English texts of the window into resources/text/en.json, which translations are made from.

python packaging/collect_text.py            writes the catalogue
python packaging/collect_text.py --check    says whether it is current (exit code 1 where it is not)
python packaging/collect_text.py --bare     lists texts that reach the reader but cannot be translated yet
"""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CATALOGUE = ROOT / "resources" / "text" / "en.json"
# Which arguments of a call are texts that it looks up by itself.
LOOKED_UP: dict[str, tuple[int, ...]] = {
    "tr": (0,),
    "phrase": (0,),
    "label": (0,),
    "push_button": (0,),
    "WrappedLabel": (0,),
    "IconButton": (1,),
    "explain": (1, 2),
    "show_message": (0, 1),
    "ShardboardError": (0, 1),
    "Command": (1, 2),
    "KeyHint": (0, 2),
    "counted": (1, 2),
    "slim": (0, 1),
    "CopyButton": (0,),
    "InlineEditor": (0, 2, 3),
    "_number": (0, 4, 5),
    "_whole": (0, 3, 4),
    "Section": (0, 1),
    "row": (0,),
    "wide": (0,),
    "choice": (0,),
}
# Arguments by name that these calls look up as well.
NAMED = frozenset({"note", "remedy", "action", "tip"})
# Calls that count things: "{number} layer" and "{number} layers".
COUNTS = frozenset({"count", "plural"})
# Calls that show their first argument as it is given.
SHOWS = frozenset(
    (
        "setText",
        "setToolTip",
        "setAccessibleName",
        "setAccessibleDescription",
        "setPlaceholderText",
        "setWindowTitle",
        "setTitle",
        "addItem",
        "addRow",
        "addAction",
        "ElidedLabel",
        "PillLabel",
        "QAction",
    )
)
MADE = frozenset({"tr", "phrase", "shown"})

PIECES = re.compile(r"[A-Za-z]{2,},? [A-Za-z\0(]|[\0)],? [A-Za-z]{3,}|[A-Za-z]{2,}\.$|\0[.]$")
SENTENCE = re.compile(r"[A-Za-z]{2,}[,;:]? [A-Za-z(]|^[A-Z][a-z]+ ?[.:…]$|[a-z]{3,}…$|^[;,.]? [a-z]{2,}")
TO_PROGRAMMERS = frozenset({"RuntimeError", "ValueError", "TypeError", "AssertionError", "NotImplementedError"})
# Calls whose texts no reader sees: statements of a data base, names of tasks and properties, patterns, lines of a log.
NO_READER = frozenset(
    (
        "execute",
        "create_task",
        "compile",
        "setProperty",
        "setStyleSheet",
        "getLogger",
        "debug",
        "info",
        "warning",
        "exception",
        "cast",
    )
)
# Rooms whose texts are for other readers than the window's.
OTHER_READERS = {
    "core/serve/openai.py": "what the HTTP API answers is read by programs, and by their makers",
    "core/serve/server.py": "as above",
    "core/serve/answers.py": "as above",
    "core/serve/recipes.py": "lines to be copied into a shell",
    "core/placement/plan.py": "printed by `shardboard plan`",
    "core/chat/exchange.py": "headings of an exported file, which importing looks for",
    "core/chat/codec.py": "kinds of what is stored",
    "core/chat/store.py": "statements of a data base; its two errors are phrases",
    "core/generation/template_child.py": "another process, whose sentences are wrapped by templates.py",
    "core/generation/trace.py": "names in a file for a trace viewer",
    "core/library/tables.py": "tables of tensors are for `shardboard plan`",
    "ui/theme/stylesheet.py": "style",
    "ui/chat/rich.py": "style",
    "ui/chat/style.py": "style",
    "ui/chat/inline.py": "markup of an answer",
    "ui/chat/blocks.py": "markup of an answer",
    "ui/chat/math_text.py": "names of signs",
}
# (room, a part of the line, why): texts that stay as they are.
NO_TEXT: tuple[tuple[str, str, str], ...] = (
    ("core/chat/attachments.py", "File {each.name}", "what the model reads"),
    ("core/chat/conversation.py", "New chat", "the title that is stored; the window shows its own word for it"),
    ("core/cluster/reach.py", ".local.", "a name on the network"),
    ("core/deployment/live.py", "unknown machine", "a name that no machine has"),
    ("core/deployment/losses.py", ": 'another program has it", "as the next"),
    ("core/deployment/losses.py", ": 'it", "Fate: no reader sees them"),
    ("core/library/download.py", "blob", "what git hashes"),
    ("core/library/hub.py", "Bearer", "a header"),
    ("core/library/models.py", "Hugging Face cache", "a name"),
    ("core/library/models.py", "LM Studio", "a name"),
    ("core/library/weigh.py", " at ", "where a table of tensors came from, for `shardboard plan`"),
    ("core/settings/settings.py", "", "what `shardboard settings` prints of each"),
    ("ui/board/block.py", "on its way", "looked for in a text, not shown"),
    ("ui/chat/text.py", "iB'", "a unit"),
    ("ui/chat/text.py", " tok/s", "a unit"),
    ("ui/cluster/node_card.py", "' ms'", "a unit"),
    ("ui/first_start/others_step.py", "shardd run", "a command"),
    ("ui/first_start/pair_row.py", "shardd {version}", "a program and its version"),
    ("ui/main.py", "open already", "printed before there is a window"),
    ("ui/models/transfers.py", "'88", "the widest figure, measured and not shown"),
    ("ui/theme/resources.py", "JetBrains Mono", "a name"),
    ("ui/words.py", " tok/s", "a unit"),
    ("ui/words.py", "{{number}}", "made of the words that count() is called with, which are collected there"),
)


def sources(root: Path = ROOT) -> Iterator[tuple[str, ast.Module]]:
    for folder in ("ui", "core"):
        for path in sorted((root / "app" / folder).rglob("*.py")):
            yield str(path.relative_to(root / "app")), ast.parse(path.read_text(encoding="utf-8"))


def called(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")


def constants(tree: ast.Module) -> dict[str, str]:
    """Module-level names that hold a text."""
    found: dict[str, str] = {}
    for node in tree.body:
        target = (
            node.targets[0]
            if isinstance(node, ast.Assign)
            else node.target
            if isinstance(node, ast.AnnAssign)
            else None
        )
        value = getattr(node, "value", None)
        if isinstance(target, ast.Name) and isinstance(value, ast.Constant) and isinstance(value.value, str):
            found[target.id] = value.value
    return found


def texts_of(node: ast.expr, named: dict[str, str]) -> Iterator[str]:
    """Literals that an argument may be: itself, a constant's, either side of a choice."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.Name) and node.id in named:
        yield named[node.id]
    elif isinstance(node, ast.IfExp):
        yield from texts_of(node.body, named)
        yield from texts_of(node.orelse, named)


def named_texts(call: ast.Call, named: dict[str, str]) -> Iterator[str]:
    for keyword in call.keywords if called(call) in LOOKED_UP else ():
        if keyword.arg in NAMED and called(call) not in MADE:
            yield from filter(is_text, texts_of(keyword.value, named))


def counted(call: ast.Call) -> Iterator[str]:
    words = [each.value for each in call.args[1:] if isinstance(each, ast.Constant) and isinstance(each.value, str)]
    if called(call) in COUNTS and words:
        yield from (f"{{number}} {words[0]}", f"{{number}} {words[1] if len(words) > 1 else words[0] + 's'}")


def is_text(text: str) -> bool:
    return any(letter.isalpha() for letter in text)


def collect(root: Path = ROOT) -> dict[str, list[str]]:
    """Each text with the rooms that use it."""
    found: dict[str, set[str]] = {}
    for name, tree in sources(root):
        named = constants(tree)
        room = "/".join(name.split("/")[:2]).removesuffix(".py")
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            for position in LOOKED_UP.get(called(call), ()):
                if position < len(call.args):
                    for text in filter(is_text, texts_of(call.args[position], named)):
                        found.setdefault(text, set()).add(room)
            for text in (*named_texts(call, named), *counted(call)):
                found.setdefault(text, set()).add(room)
    return {text: sorted(rooms) for text, rooms in sorted(found.items())}


def bare(root: Path = ROOT) -> list[str]:
    """file:line of texts that are shown without a look-up: given as they are to a call that shows them, or sentences
    and pieces of them that stand anywhere else and that nothing looks up."""
    found: set[str] = set()
    for name, tree in sources(root):
        named = constants(tree)
        for node in _loose(tree, named):
            if name not in OTHER_READERS or not _is_sentence(node):
                found.add(f"app/{name}:{getattr(node, 'lineno', 0)}: {ast.unparse(node)[:110]}")
    return sorted(found - _excepted(found))


def _excepted(lines: set[str]) -> set[str]:
    return {
        line for line in lines for where, text, _why in NO_TEXT if line.startswith(f"app/{where}:") and text in line
    }


def _loose(node: ast.AST, named: dict[str, str]) -> Iterator[ast.AST]:
    if isinstance(node, ast.Call):
        yield from _shown_as_it_is(node, named)
    hidden = _hidden(node)
    for child in ast.iter_child_nodes(node):
        if not any(child is each for each in hidden):
            if _is_sentence(child):
                yield child
            yield from _loose(child, named)


def _shown_as_it_is(call: ast.Call, named: dict[str, str]) -> Iterator[ast.AST]:
    who = called(call)
    for argument in (call.args[each] for each in LOOKED_UP.get(who) or (0,) if each < len(call.args)):
        pieces = who in LOOKED_UP and isinstance(argument, ast.JoinedStr) and is_text(_literal(argument))
        if pieces or (who in SHOWS and any(map(is_text, texts_of(argument, named)))):
            yield argument


def _is_sentence(node: ast.AST) -> bool:
    """More than a word, or a word with its full stop: a name, a key or a pattern has neither."""
    if isinstance(node, ast.JoinedStr):
        return bool(PIECES.search(_literal(node, "\0")))
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and bool(SENTENCE.search(node.value))


def _hidden(node: ast.AST) -> list[ast.AST]:
    """Children with no loose text: looked up, documentation, told to programmers, names of tasks, what is compared."""
    match node:
        case ast.JoinedStr():
            return [part for part in node.values if isinstance(part, ast.Constant)]
        case ast.FormattedValue() if node.format_spec is not None:
            return [node.format_spec]
        case ast.Expr(value=ast.Constant()):
            return [node.value]
        case ast.Compare() | ast.Assert():
            return list(ast.iter_child_nodes(node))
        case ast.Raise(exc=ast.Call() as made) if called(made) in TO_PROGRAMMERS:
            return [made]
        case ast.AnnAssign() | ast.arg() if node.annotation is not None:
            return [node.annotation]
        case ast.Dict():
            return [each for each in node.keys if each is not None]
        case ast.Call():
            who = called(node)
            named = [each for each in node.keywords if each.arg == "name" and who not in MADE]
            if who in NO_READER or who in COUNTS:
                return [*node.args, *named]
            looked_up = [node.args[each] for each in LOOKED_UP.get(who, ()) if each < len(node.args)]
            tips = [each for each in node.keywords if each.arg in NAMED and who in LOOKED_UP and who not in MADE]
            return [*(each for each in looked_up if not isinstance(each, ast.JoinedStr)), *named, *tips]
    return []


def _literal(node: ast.JoinedStr, between: str = "") -> str:
    return "".join(str(part.value) if isinstance(part, ast.Constant) else between for part in node.values)


def written(texts: dict[str, list[str]]) -> str:
    return json.dumps({"language": "en", "texts": texts}, indent=1, ensure_ascii=False) + "\n"


def main(arguments: list[str]) -> int:
    if arguments == ["--bare"]:
        lines = bare()
        print("\n".join(lines))
        print(f"{len(lines)} texts cannot be translated yet, {len(collect())} can.")
        return 0
    now = written(collect())
    if arguments == ["--check"]:
        current = CATALOGUE.is_file() and CATALOGUE.read_text(encoding="utf-8") == now
        print("current" if current else "resources/text/en.json is old: run python packaging/collect_text.py")
        return 0 if current else 1
    CATALOGUE.parent.mkdir(parents=True, exist_ok=True)
    CATALOGUE.write_text(now, encoding="utf-8")
    print(f"{len(collect())} texts in {CATALOGUE.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
