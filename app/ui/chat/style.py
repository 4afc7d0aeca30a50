"""The chat's own style sheet, set once on the pane (a style sheet on every block would be paid at every block)."""

from __future__ import annotations

from app.ui.theme import RADIUS, TEXT, Tokens, scaled


def chat_style(t: Tokens) -> str:
    return f"""
QTextBrowser[role="content"], QPlainTextEdit[role="content"] {{ background: transparent; border: none; padding: 0; }}
QTextBrowser[role="content"]:focus, QPlainTextEdit[role="content"]:focus {{ border: none; }}
QFrame[kind="code"] {{ background: {t.surface}; border: 1px solid {t.border}; border-radius: {RADIUS.card}px; }}
QFrame[kind="code"][focused="true"] {{ border-color: {t.accent_text}; }}
QFrame[kind="quote"] {{ background: transparent; border: none; border-left: 3px solid {t.border_strong}; }}
QFrame[kind="bubble"] {{ background: {t.raised}; border: 1px solid {t.border}; border-radius: 12px; }}
QFrame[kind="problem"] {{ background: {t.danger_surface}; border: 1px solid {t.danger};
    border-radius: {RADIUS.control}px; }}
QFrame[kind="composer"] {{ background: {t.surface}; border: 1px solid {t.border_strong};
    border-radius: {RADIUS.card}px; }}
QFrame[kind="composer"][focused="true"] {{ border-color: {t.accent_text}; }}
QFrame[kind="composer"] QPlainTextEdit {{ background: transparent; border: none; padding: 0; }}
QFrame[kind="popover"] {{ background: {t.surface}; border: 1px solid {t.border_strong}; }}
QPushButton[kind="quiet"][set="true"] {{ color: {t.accent_text}; }}
QPushButton[kind="quiet"][slim="true"] {{ padding: 2px 7px; min-height: {scaled(16)}px; font-size: {TEXT.small}px; }}
QPushButton[kind="example"] {{ text-align: left; padding: 9px 12px; background: {t.surface}; }}
QPushButton[kind="example"]:hover {{ background: {t.hover}; }}
QScrollArea[role="transcript"], QScrollArea[role="transcript"] > QWidget > QWidget[role="page"] {{
    background: transparent; border: none; }}
"""
