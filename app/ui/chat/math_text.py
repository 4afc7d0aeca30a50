"""Mathematics in an answer as text that can be read: TeX's words become the signs they stand for. No Qt.

It is no typesetting: x^2 is shown as x², \\frac{a+b}{c} as (a+b)/c. What is not known stays as it was written.
"""

# ruff: noqa: SIM905 - these are tables of words, not lists

from __future__ import annotations

import re
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline

LIMIT: Final = 4000  # characters of one formula; longer ones stay as they were written
DEPTH: Final = 40

SIGNS: Final = {
    **dict(zip("alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau".split(),
               "αβγδεζηθικλμνξπρστ", strict=True)),
    **dict(zip("upsilon phi chi psi omega varepsilon vartheta varphi varrho varsigma".split(),
               "υφχψωεϑφϱς", strict=True)),
    **dict(zip("Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega".split(), "ΓΔΘΛΞΠΣΥΦΨΩ", strict=True)),
    "times": "×", "cdot": "·", "div": "÷", "pm": "±", "mp": "∓", "ast": "∗", "star": "⋆", "circ": "∘", "bullet": "•",
    "leq": "≤", "le": "≤", "geq": "≥", "ge": "≥", "neq": "≠", "ne": "≠", "approx": "≈", "equiv": "≡", "sim": "∼",
    "simeq": "≃", "cong": "≅", "propto": "∝", "ll": "≪", "gg": "≫", "lt": "<", "gt": ">",
    "to": "→", "rightarrow": "→", "leftarrow": "←", "leftrightarrow": "↔", "Rightarrow": "⇒", "Leftarrow": "⇐",
    "Leftrightarrow": "⇔", "implies": "⇒", "iff": "⇔", "mapsto": "↦", "uparrow": "↑", "downarrow": "↓",
    "in": "∈", "notin": "∉", "ni": "∋", "subset": "⊂", "subseteq": "⊆", "supset": "⊃", "supseteq": "⊇", "cup": "∪",
    "cap": "∩", "setminus": "∖", "emptyset": "∅", "varnothing": "∅", "forall": "∀", "exists": "∃", "neg": "¬",
    "lnot": "¬", "land": "∧", "wedge": "∧", "lor": "∨", "vee": "∨", "oplus": "⊕", "otimes": "⊗", "odot": "⊙",
    "sum": "∑", "prod": "∏", "int": "∫", "iint": "∬", "oint": "∮", "partial": "∂", "nabla": "∇", "infty": "∞",
    "ldots": "…", "cdots": "⋯", "dots": "…", "vdots": "⋮", "prime": "′", "angle": "∠", "perp": "⊥", "parallel": "∥",
    "mid": "∣", "vert": "|", "Vert": "‖", "langle": "⟨", "rangle": "⟩", "lfloor": "⌊", "rfloor": "⌋", "lceil": "⌈",
    "rceil": "⌉", "hbar": "ℏ", "ell": "ℓ", "Re": "ℜ", "Im": "ℑ", "aleph": "ℵ", "degree": "°", "therefore": "∴",
    "because": "∵", "quad": "  ", "qquad": "    ", ",": " ", ";": " ", ":": " ", "!": "", " ": " ", "\\": "\n",
    "{": "{", "}": "}", "%": "%", "$": "$", "&": "&", "#": "#", "_": "_", "|": "‖", "lbrace": "{", "rbrace": "}",
    "left": "", "right": "", "big": "", "Big": "", "bigg": "", "Bigg": "", "limits": "", "nolimits": "",
    "displaystyle": "", "textstyle": "", "nonumber": "", "top": "⊤", "dagger": "†", "blacksquare": "■", "square": "□",
}  # fmt: skip
LETTERS: Final = {"R": "ℝ", "N": "ℕ", "Z": "ℤ", "Q": "ℚ", "C": "ℂ", "P": "ℙ", "E": "𝔼", "H": "ℍ", "F": "𝔽"}
PLAIN: Final = frozenset(
    "text textbf textit mathrm mathbf mathit mathsf mathtt mathcal boldsymbol operatorname boxed mbox hbox bm "
    "underline overbrace underbrace tfrac".split()
)
ACCENTS: Final = {"hat": "\u0302", "bar": "\u0304", "vec": "\u20d7", "tilde": "\u0303", "dot": "\u0307"}
ACCENTS_MORE: Final = {"overline": "\u0305", "ddot": "\u0308", "widehat": "\u0302", "widetilde": "\u0303"}
RAISED: Final = dict(
    zip("0123456789+-=()nixyabcdefghjklmoprstuvwz", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁿⁱˣʸᵃᵇᶜᵈᵉᶠᵍʰʲᵏˡᵐᵒᵖʳˢᵗᵘᵛʷᶻ", strict=True)
)
RAISED_MORE: Final = {"T": "ᵀ", "′": "′", "∗": "*", "*": "*", "∘": "°", "⊤": "ᵀ", " ": " "}
LOWERED: Final = dict(zip("0123456789+-=()aehijklmnoprstuvx", "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ", strict=True))

_WORD = re.compile(r"\\([A-Za-z]+\*?|.)", re.DOTALL)
_BEGIN = re.compile(r"\\(?:begin|end)\s*\{[^}]*\}(?:\{[^}]*\})?")


def readable(tex: str) -> str:
    """A formula as text."""
    if len(tex) > LIMIT:
        return tex
    text = _Reader(_BEGIN.sub("", tex).replace("&", " ").replace("~", " ")).read()
    lines = [" ".join(line.split()) for line in text.split("\n")]
    return "\n".join(line for line in lines if line)


class _Reader:
    """Reads TeX from left to right, a group at a time."""

    def __init__(self, tex: str) -> None:
        self._tex = tex
        self._at = 0

    def read(self, depth: int = 0, closing: str = "") -> str:
        out: list[str] = []
        while self._at < len(self._tex):
            here = self._tex[self._at]
            if closing and here == closing:
                self._at += 1
                break
            out.append(self._one(depth))
        return "".join(out)

    def _one(self, depth: int) -> str:
        here = self._tex[self._at]
        if here == "\\" and (found := _WORD.match(self._tex, self._at)):
            self._at = found.end()
            return self._word(found.group(1), depth)
        self._at += 1
        if here == "{":
            return self.read(depth + 1, "}") if depth < DEPTH else "{"
        if here == "^":
            return _moved(self._argument(depth), {**RAISED, **RAISED_MORE}, "^")
        if here == "_":
            return _moved(self._argument(depth), LOWERED, "_")
        if here == "}":
            return ""
        return {"-": "−", "*": "∗", "'": "′", "\n": " "}.get(here, here)

    def _argument(self, depth: int) -> str:
        """What belongs to the sign before: a group, a word, or one letter."""
        while self._at < len(self._tex) and self._tex[self._at] == " ":
            self._at += 1
        return self._one(depth + 1) if self._at < len(self._tex) and depth < DEPTH else ""

    def _word(self, word: str, depth: int) -> str:
        word = word.rstrip("*")
        if word in ("frac", "dfrac", "tfrac", "cfrac"):
            above, below = self._argument(depth), self._argument(depth)
            return f"{_whole(above)}/{_whole(below)}"
        if word == "sqrt":
            root = ""
            if self._tex[self._at : self._at + 1] == "[":
                self._at += 1
                root = _moved(self.read(depth + 1, "]"), RAISED, "")
            return f"{root}√{_whole(self._argument(depth))}"
        if word == "mathbb":
            letter = self._argument(depth)
            return LETTERS.get(letter, letter)
        if word == "binom":
            return f"({self._argument(depth)} over {self._argument(depth)})"
        if accent := ACCENTS.get(word) or ACCENTS_MORE.get(word):
            return "".join(f"{letter}{accent}" for letter in self._argument(depth))
        if word in PLAIN:
            return self._argument(depth)
        if word in SIGNS:
            return SIGNS[word]
        return word if word.isalpha() else f"\\{word}"


def _whole(text: str) -> str:
    """In brackets where it would be read in parts."""
    text = text.strip()
    simple = len(text) < 2 or re.fullmatch(r"[\d.]+|[A-Za-z]+|\w[°′⁰¹²³⁴-⁹₀-₉ⁿⁱᵢⱼ]*", text) is not None
    return text if simple else f"({text})"


def _moved(text: str, signs: dict[str, str], otherwise: str) -> str:
    """Raised or lowered where every letter has such a form, else behind ^ or _."""
    text = text.strip()
    plain = text.replace("−", "-")
    if plain and all(letter in signs for letter in plain):
        return "".join(signs[letter] for letter in plain)
    return f"{otherwise}{_whole(text)}" if text else ""


def math_rule(state: StateInline, silent: bool) -> bool:
    """A markdown-it rule: $…$, $$…$$, \\(…\\) and \\[…\\]. A dollar before a digit and after a space is money."""
    source, at = state.src, state.pos
    for opening, closing, block in (("$$", "$$", True), ("\\[", "\\]", True), ("\\(", "\\)", False), ("$", "$", False)):
        if not source.startswith(opening, at):
            continue
        begin = at + len(opening)
        end = source.find(closing, begin, min(state.posMax, begin + LIMIT))
        if end <= begin:
            continue
        inside = source[begin:end]
        after = source[end + 1 : end + 2]
        if opening == "$" and (inside[0].isspace() or inside[-1].isspace() or after.isdigit() or "\n\n" in inside):
            return False
        if not inside.strip():
            return False
        if not silent:
            token = state.push("math_block" if block else "math_inline", "", 0)
            token.content = readable(inside)
        state.pos = end + len(closing)
        return True
    return False


def with_math(parser: MarkdownIt) -> MarkdownIt:
    parser.inline.ruler.before("escape", "math", math_rule)
    return parser
