"""The stylesheet, generated from tokens. Selectors use the properties listed in app.ui.theme."""

from __future__ import annotations

from pathlib import Path

from app.ui.theme.tokens import RADIUS, TEXT, Tokens, scaled


def stylesheet(t: Tokens, icons: Path) -> str:
    return "\n".join((_base(t), _labels(t), _buttons(t), _fields(t, icons), _containers(t), _scrolling(t), _menus(t)))


def _base(t: Tokens) -> str:
    return f"""
QWidget {{ color: {t.text}; }}
QMainWindow, QDialog {{ background: {t.window}; }}
QToolTip {{ background: {t.raised}; color: {t.text}; border: 1px solid {t.border_strong}; padding: 5px 7px; }}
QSplitter::handle {{ background: transparent; }}
QSplitter::handle:hover {{ background: {t.border}; }}
"""


def _labels(t: Tokens) -> str:
    return f"""
QLabel {{ background: transparent; }}
QLabel:disabled {{ color: {t.text_disabled}; }}
QLabel[role="title"] {{ font-size: {TEXT.title}px; font-weight: 600; }}
QLabel[role="heading"] {{ font-size: {TEXT.heading}px; font-weight: 600; }}
QLabel[role="strong"] {{ font-weight: 600; }}
QLabel[role="muted"] {{ color: {t.text_muted}; }}
QLabel[role="small"] {{ color: {t.text_muted}; font-size: {TEXT.small}px; }}
QLabel[role="mono"], QTextEdit[role="mono"], QListView[role="mono"] {{
    font-family: "JetBrains Mono"; font-size: {TEXT.small}px; }}
QLabel[role="danger"] {{ color: {t.danger}; }}
QLabel[role="warning"] {{ color: {t.warning}; }}
QLabel[role="success"] {{ color: {t.success}; }}
QLabel[role="pill"] {{ background: {t.raised}; color: {t.text_muted}; font-size: {TEXT.small}px;
    border-radius: {scaled(16) // 2 + 1}px; padding: 1px 8px; min-height: {scaled(16)}px;
    max-height: {scaled(16)}px; }}
QLabel[role="pill"][tone="danger"] {{ background: {t.danger_surface}; color: {t.danger}; }}
QLabel[role="pill"][tone="warning"] {{ background: {t.warning_surface}; color: {t.warning}; }}
QLabel[role="pill"][tone="success"] {{ background: {t.success_surface}; color: {t.success}; }}
QLabel[role="pill"][tone="info"] {{ background: {t.info_surface}; color: {t.accent_text}; }}
"""


def _buttons(t: Tokens) -> str:
    r = RADIUS.control
    return f"""
QPushButton {{ background: {t.raised}; border: 1px solid {t.border}; border-radius: {r}px;
    padding: 5px 12px; min-height: {scaled(18)}px; }}
QPushButton:hover {{ background: {t.hover}; }}
QPushButton:pressed, QPushButton:checked {{ background: {t.pressed}; }}
QPushButton:focus {{ border: 1px solid {t.accent_text}; }}
QPushButton:disabled {{ color: {t.text_disabled}; background: transparent; border: 1px solid {t.border}; }}
QPushButton[kind="primary"] {{ background: {t.accent}; color: {t.on_accent}; border: 1px solid {t.accent};
    font-weight: 600; }}
QPushButton[kind="primary"]:hover {{ background: {t.accent_hover}; }}
QPushButton[kind="primary"]:pressed {{ background: {t.accent_pressed}; }}
QPushButton[kind="primary"]:focus {{ border: 1px solid {t.text}; }}
QPushButton[kind="primary"]:disabled {{ background: {t.raised}; color: {t.text_disabled};
    border: 1px solid {t.border}; }}
QPushButton[kind="danger"] {{ color: {t.danger}; }}
QPushButton[kind="danger"]:disabled {{ color: {t.text_disabled}; }}
QPushButton[kind="quiet"] {{ background: transparent; border: 1px solid transparent; color: {t.text_muted};
    padding: 5px 9px; }}
QPushButton[kind="quiet"]:hover {{ background: {t.hover}; color: {t.text}; }}
QPushButton[kind="quiet"]:pressed, QPushButton[kind="quiet"]:checked {{ background: {t.pressed}; color: {t.text}; }}
QPushButton[kind="quiet"]:focus {{ border: 1px solid {t.accent_text}; }}
QPushButton[kind="quiet"]:disabled {{ color: {t.text_disabled}; }}
QPushButton[kind="nav"] {{ background: transparent; border: 1px solid transparent; color: {t.text_muted};
    text-align: left; padding: 7px 9px; }}
QPushButton[kind="nav"]:hover {{ background: {t.hover}; color: {t.text}; }}
QPushButton[kind="nav"]:checked {{ background: {t.raised}; color: {t.text}; font-weight: 600; }}
QPushButton[kind="nav"]:focus {{ border: 1px solid {t.accent_text}; }}
QToolButton {{ background: transparent; border: 1px solid transparent; border-radius: {r}px; padding: 4px; }}
QToolButton:hover {{ background: {t.hover}; }}
QToolButton:pressed, QToolButton:checked {{ background: {t.pressed}; }}
QToolButton:focus {{ border: 1px solid {t.accent_text}; }}
QToolButton:disabled {{ background: transparent; }}
QToolButton::menu-indicator {{ image: none; }}
"""


def _fields(t: Tokens, icons: Path) -> str:
    r = RADIUS.control
    image = {name: f"{icons.as_posix()}/{name}-{t.name}.svg" for name in ("chevron-down", "chevron-up")}
    return f"""
QLineEdit, QPlainTextEdit, QTextEdit, QSpinBox, QDoubleSpinBox, QComboBox {{ background: {t.raised};
    border: 1px solid {t.border}; border-radius: {r}px; padding: 4px 8px; selection-background-color: {t.selection};
    selection-color: {t.text}; }}
QLineEdit, QSpinBox, QDoubleSpinBox, QComboBox {{ min-height: {scaled(20)}px; }}
QLineEdit:focus, QPlainTextEdit:focus, QTextEdit:focus, QSpinBox:focus, QDoubleSpinBox:focus, QComboBox:focus {{
    border: 1px solid {t.accent_text}; }}
QLineEdit:disabled, QSpinBox:disabled, QDoubleSpinBox:disabled, QComboBox:disabled {{ color: {t.text_disabled};
    background: transparent; }}
QComboBox::drop-down {{ border: none; width: {scaled(22)}px; }}
QComboBox::down-arrow {{ image: url("{image["chevron-down"]}"); width: {scaled(14)}px; height: {scaled(14)}px; }}
QComboBox QAbstractItemView {{ background: {t.surface}; border: 1px solid {t.border_strong}; padding: 4px;
    outline: none; selection-background-color: {t.hover}; selection-color: {t.text}; }}
QSpinBox::up-button, QDoubleSpinBox::up-button {{ subcontrol-origin: border; subcontrol-position: top right;
    border: none; width: {scaled(20)}px; margin: 2px 2px 0 0; }}
QSpinBox::down-button, QDoubleSpinBox::down-button {{ subcontrol-origin: border;
    subcontrol-position: bottom right; border: none; width: {scaled(20)}px; margin: 0 2px 2px 0; }}
QSpinBox::up-arrow, QDoubleSpinBox::up-arrow {{ image: url("{image["chevron-up"]}"); width: {scaled(11)}px;
    height: {scaled(11)}px; }}
QSpinBox::down-arrow, QDoubleSpinBox::down-arrow {{ image: url("{image["chevron-down"]}"); width: {scaled(11)}px;
    height: {scaled(11)}px; }}
QCheckBox, QRadioButton {{ spacing: 8px; background: transparent; }}
QCheckBox:disabled, QRadioButton:disabled {{ color: {t.text_disabled}; }}
QCheckBox::indicator, QRadioButton::indicator {{ width: 16px; height: 16px; border: 1px solid {t.border_strong};
    background: {t.raised}; }}
QCheckBox::indicator {{ border-radius: 4px; }}
QRadioButton::indicator {{ border-radius: 8px; }}
QCheckBox::indicator:checked {{ background: {t.accent}; border: 1px solid {t.accent};
    image: url("{icons.as_posix()}/check-white.svg"); }}
QRadioButton::indicator:checked {{ background: {t.on_accent}; border: 5px solid {t.accent}; width: 8px;
    height: 8px; }}
QCheckBox::indicator:focus, QRadioButton::indicator:focus {{ border-color: {t.accent_text}; }}
QProgressBar {{ background: {t.track}; border: none; border-radius: 3px; min-height: 6px; max-height: 6px; }}
QProgressBar::chunk {{ background: {t.accent}; border-radius: 3px; }}
"""


def _containers(t: Tokens) -> str:
    return f"""
QFrame[kind="card"] {{ background: {t.surface}; border: 1px solid {t.border}; border-radius: {RADIUS.card}px; }}
QFrame[kind="raised"] {{ background: {t.raised}; border: 1px solid {t.border}; border-radius: {RADIUS.control}px; }}
QFrame[kind="sidebar"] {{ background: {t.surface}; border: none; border-right: 1px solid {t.border}; }}
QFrame[kind="line"] {{ background: {t.border}; border: none; max-height: 1px; min-height: 1px; }}
QFrame[kind="banner"] {{ border-radius: {RADIUS.control}px; border: 1px solid {t.border}; }}
QFrame[kind="banner"][tone="danger"] {{ background: {t.danger_surface}; border-color: {t.danger}; }}
QFrame[kind="banner"][tone="warning"] {{ background: {t.warning_surface}; border-color: {t.warning}; }}
QFrame[kind="banner"][tone="success"] {{ background: {t.success_surface}; border-color: {t.success}; }}
QFrame[kind="banner"][tone="info"] {{ background: {t.info_surface}; border-color: {t.accent_text}; }}
QListView, QTreeView, QTableView {{ background: {t.surface}; border: 1px solid {t.border};
    border-radius: {RADIUS.control}px; outline: none; selection-background-color: {t.hover};
    selection-color: {t.text}; }}
QListView::item {{ padding: 6px 8px; border-radius: {RADIUS.small}px; }}
QListView::item:hover {{ background: {t.raised}; }}
QListView::item:selected {{ background: {t.hover}; color: {t.text}; }}
QHeaderView, QTableView QTableCornerButton::section {{ background: {t.surface}; border: none; }}
QHeaderView::section {{ background: {t.surface}; color: {t.text_muted}; border: none;
    border-bottom: 1px solid {t.border}; padding: 4px 8px; }}
QTableView::item {{ padding: 4px 8px; }}
QListView:focus, QTreeView:focus, QTableView:focus {{ border: 1px solid {t.accent_text}; }}
"""


def _scrolling(t: Tokens) -> str:
    return f"""
QScrollArea, QAbstractScrollArea {{ border: none; }}
QScrollArea, QScrollArea > QWidget > QWidget[kind="page"] {{ background: transparent; }}
QScrollBar {{ background: transparent; border: none; margin: 0; }}
QScrollBar:vertical {{ width: 10px; }}
QScrollBar:horizontal {{ height: 10px; }}
QScrollBar::handle {{ background: {t.border_strong}; border-radius: 3px; margin: 2px; }}
QScrollBar::handle:vertical {{ min-height: 28px; }}
QScrollBar::handle:horizontal {{ min-width: 28px; }}
QScrollBar::handle:hover {{ background: {t.text_muted}; }}
QScrollBar::add-line, QScrollBar::sub-line {{ width: 0; height: 0; background: transparent; border: none; }}
QScrollBar::add-page, QScrollBar::sub-page {{ background: transparent; }}
QAbstractScrollArea::corner {{ background: transparent; }}
"""


def _menus(t: Tokens) -> str:
    return f"""
QDialogButtonBox {{ dialogbuttonbox-buttons-have-icons: 0; }}
QLabel#qt_msgbox_label {{ font-weight: 600; min-width: {scaled(320)}px; }}
QLabel#qt_msgbox_informativelabel {{ min-width: {scaled(320)}px; }}
QMenuBar {{ background: {t.surface}; border-bottom: 1px solid {t.border}; padding: 1px 4px; }}
QMenuBar::item {{ background: transparent; padding: 4px 9px; border-radius: {RADIUS.small}px; }}
QMenuBar::item:selected, QMenuBar::item:pressed {{ background: {t.hover}; }}
QMenu {{ background: {t.surface}; border: 1px solid {t.border_strong}; padding: 5px; }}
QMenu::item {{ padding: 6px 22px 6px 12px; border-radius: {RADIUS.small}px; }}
QMenu::item:selected {{ background: {t.hover}; }}
QMenu::item:disabled {{ color: {t.text_disabled}; }}
QMenu::separator {{ height: 1px; background: {t.border}; margin: 5px 6px; }}
QTabBar::tab {{ background: transparent; color: {t.text_muted}; padding: 6px 10px; border: none;
    border-bottom: 2px solid transparent; }}
QTabBar::tab:selected {{ color: {t.text}; border-bottom: 2px solid {t.accent_text}; }}
QTabBar::tab:hover {{ color: {t.text}; }}
"""
