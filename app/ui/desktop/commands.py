"""Every command of the menu bar and every key of the window, as one table. Imports no Qt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MENUS: Final = ("File", "Edit", "View", "Cluster", "Chat", "Window", "Help")


@dataclass(frozen=True, slots=True)
class Command:
    """A line of a menu. name: what it is called in code. keys: shortcuts as Qt writes them; "Ctrl" is Command on a
    Mac. role: "", "about", "preferences" or "quit", which a Mac shows in its own menu. line: a line stands before it.
    """

    name: str
    menu: str
    text: str
    keys: tuple[str, ...] = ()
    role: str = ""
    line: bool = False


@dataclass(frozen=True, slots=True)
class KeyHint:
    """Keys that a part of the window understands while it has the focus."""

    place: str
    keys: tuple[str, ...]
    text: str


COMMANDS: Final = (
    Command("new_chat", "File", "New chat", ("Ctrl+N",)),
    Command("add_machine", "File", "Add machine…", ("Ctrl+Shift+A",)),
    Command("import_chat", "File", "Import a conversation…", ("Ctrl+O",), line=True),
    Command("export_markdown", "File", "Export the conversation as Markdown…", ("Ctrl+S",)),
    Command("export_json", "File", "Export the conversation as JSON…", ("Ctrl+Shift+S",)),
    Command("close", "File", "Close the window", ("Ctrl+W",), line=True),
    Command("quit", "File", "Quit Shardboard", ("Ctrl+Q",), "quit"),
    Command("undo", "Edit", "Undo", ("Ctrl+Z",)),
    Command("redo", "Edit", "Redo", ("Ctrl+Shift+Z",)),
    Command("cut", "Edit", "Cut", ("Ctrl+X",), line=True),
    Command("copy", "Edit", "Copy", ("Ctrl+C",)),
    Command("paste", "Edit", "Paste", ("Ctrl+V",)),
    Command("select_all", "Edit", "Select all", ("Ctrl+A",)),
    Command("preferences", "Edit", "Settings…", ("Ctrl+,",), "preferences", line=True),
    Command("go_cluster", "View", "Cluster", ("Ctrl+1",)),
    Command("go_models", "View", "Models", ("Ctrl+2",)),
    Command("go_chat", "View", "Chat", ("Ctrl+3",)),
    Command("go_settings", "View", "Settings", ("Ctrl+4",)),
    Command("lane", "View", "Latency lane", ("Ctrl+L",), line=True),
    Command("larger", "View", "Larger text", ("Ctrl++", "Ctrl+="), line=True),
    Command("smaller", "View", "Smaller text", ("Ctrl+-",)),
    Command("usual_size", "View", "Usual text size", ("Ctrl+0",)),
    Command("toggle_theme", "View", "Switch light and dark", ("Ctrl+Shift+L",)),
    Command("full_screen", "View", "Full screen", ("F11",), line=True),
    Command("set_up", "Cluster", "Set up machines…"),
    Command("reach", "Cluster", "Why can't I see my Mac?"),
    Command("balance", "Cluster", "Balance", ("Ctrl+B",), line=True),
    Command("deploy", "Cluster", "Deploy", ("Ctrl+Return",)),
    Command("undeploy", "Cluster", "Unload the model from all machines"),
    Command("find_models", "Cluster", "Find a model", ("Ctrl+Shift+F",), line=True),
    Command("write", "Chat", "Write a message", ("Ctrl+J",)),
    Command("stop", "Chat", "Stop the answer", ("Ctrl+.",)),
    Command("regenerate", "Chat", "Write the answer again", ("Ctrl+R",)),
    Command("go_on", "Chat", "Go on with the answer", ("Ctrl+G",)),
    Command("conversations", "Chat", "Find a conversation", ("Ctrl+Shift+O",), line=True),
    Command("rename", "Chat", "Rename the conversation…", ("F2",)),
    Command("system_prompt", "Chat", "System prompt…"),
    Command("sampling", "Chat", "Sampling…"),
    Command("minimize", "Window", "Minimize", ("Ctrl+M",)),
    Command("zoom", "Window", "Zoom"),
    Command("side_bar", "Window", "To the side bar", ("F6",), line=True),
    Command("shortcuts", "Help", "Keyboard shortcuts", ("F1", "?")),
    Command("security", "Help", "What is protected, and what is not"),
    Command("about", "Help", "About Shardboard", (), "about", line=True),
)

HINTS: Final = (
    KeyHint("Everywhere", ("Tab", "Shift+Tab"), "To the next part, or the one before"),
    KeyHint("Everywhere", ("Space",), "Press the button that has the focus"),
    KeyHint("Side bar", ("Up", "Down"), "To the place above or below"),
    KeyHint("Placement board", ("Left", "Right"), "Move a boundary by a layer, or choose layers with Shift"),
    KeyHint("Placement board", ("PgUp", "PgDown"), "Move a boundary by four layers"),
    KeyHint("Placement board", ("Home", "End"), "Move a boundary as far as it goes"),
    KeyHint("Placement board", ("Return",), "Give the chosen layers to another machine"),
    KeyHint("Placement board", ("Ctrl+A",), "Choose all layers of a machine"),
    KeyHint("Placement board", ("Esc",), "Choose nothing, or leave a drag"),
    KeyHint("Boundaries between panes", ("Left", "Right", "Up", "Down"), "Move the boundary"),
    KeyHint("Boundaries between panes", ("PgUp", "PgDown"), "Move it further"),
    KeyHint("Boundaries between panes", ("Home", "End"), "Move it as far as it goes"),
    KeyHint("Message", ("Return",), "Send"),
    KeyHint("Message", ("Shift+Return",), "A new line"),
    KeyHint("Message", ("Esc",), "Stop the answer"),
    KeyHint("Conversations", ("Return",), "Open"),
    KeyHint("Conversations", ("Del",), "Delete"),
    KeyHint("Latency lane", ("Left", "Right"), "To the token before or after"),
)


def command(name: str) -> Command:
    return next(each for each in COMMANDS if each.name == name)


def rows() -> tuple[tuple[str, tuple[tuple[tuple[str, ...], str], ...]], ...]:
    """What the page of shortcuts shows: a heading, and below it keys and what they do."""
    found: list[tuple[str, tuple[tuple[tuple[str, ...], str], ...]]] = []
    for menu in MENUS:
        lines = tuple((each.keys, each.text) for each in COMMANDS if each.menu == menu and each.keys)
        found.append((menu, lines))
    for place in dict.fromkeys(hint.place for hint in HINTS):
        found.append((place, tuple((hint.keys, hint.text) for hint in HINTS if hint.place == place)))
    return tuple(found)
