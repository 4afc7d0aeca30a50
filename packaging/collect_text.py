"""Collects the English texts of the window into resources/text/en.json, which translations are made from.

python packaging/collect_text.py            writes the catalogue
python packaging/collect_text.py --check    says whether it is current (exit code 1 where it is not)
python packaging/collect_text.py --bare     lists texts that reach the reader but cannot be translated yet
"""

from __future__ import annotations

import ast
import json
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
}
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
    return {text: sorted(rooms) for text, rooms in sorted(found.items())}


def bare(root: Path = ROOT) -> list[str]:
    """file:line of texts that are shown without a look-up: made of pieces, or given to a call that shows them as is."""
    found: list[str] = []
    for name, tree in sources(root):
        named = constants(tree)
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            who = called(call)
            positions = LOOKED_UP.get(who) or ((0,) if who in SHOWS else ())
            for position in positions:
                if who in MADE or position >= len(call.args):
                    continue
                argument = call.args[position]
                pieces = isinstance(argument, ast.JoinedStr) and is_text(_literal(argument))
                if pieces or (who in SHOWS and any(map(is_text, texts_of(argument, named)))):
                    found.append(f"app/{name}:{argument.lineno}: {who}: {ast.unparse(argument)[:90]}")
    return found


def _literal(node: ast.JoinedStr) -> str:
    return "".join(str(part.value) for part in node.values if isinstance(part, ast.Constant))


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
