"""How people write: alternatives, politeness, lower case, missing marks, a typo now and then."""

import random
import re

Turn = tuple[str, str]  # a question and its answer

_CHOICE = re.compile(r"\(([^()]*)\)")
_QUESTION_WORDS = frozenset(
    [
        "what",
        "what's",
        "who",
        "who's",
        "how",
        "why",
        "when",
        "where",
        "which",
        "whose",
        "is",
        "are",
        "am",
        "was",
        "were",
        "do",
        "does",
        "did",
        "can",
        "could",
        "may",
        "might",
        "must",
        "will",
        "would",
        "should",
        "shall",
        "has",
        "have",
        "and",
    ]
)
_BEFORE_ANY = (
    "please, ",
    "hey, ",
    "hi, ",
    "hello, ",
    "ok, ",
    "so, ",
    "now ",
    "well, ",
    "sorry, ",
    "one question: ",
    "quick question: ",
)
_BEFORE_QUESTION = (
    "can you tell me ",
    "could you tell me ",
    "please tell me ",
    "tell me, ",
    "do you know ",
    "i want to know ",
    "i wonder, ",
)
_PREAMBLES = (
    "i have a question. ",
    "one more thing. ",
    "i am not sure about this. ",
    "i am new to this. ",
    "my friend told me about Shardboard. ",
    "i read the manual, but one thing is not clear. ",
    "i was wondering about something. ",
    "that is clear now. ",
    "i still have two Macs here. ",
    "good, next question. ",
    "let me ask you something: ",
)
_AFTER_ANY = (" please", ", please", " now", " again", " then")
_TYPO_RATE = 0.06


def expand(pattern: str, rng: random.Random) -> str:
    """Replace every `(a|b|)` by one of its alternatives, innermost first, and tidy the spaces."""
    while match := _CHOICE.search(pattern):
        pattern = pattern[: match.start()] + rng.choice(match.group(1).split("|")) + pattern[match.end() :]
    return re.sub(r" +", " ", pattern).strip()


def asked(rng: random.Random, *patterns: str, typos: bool = True, **values: object) -> str:
    """One of the patterns, expanded, filled in and dressed."""
    return dressed(expand(rng.choice(patterns), rng).format(**values), rng, typos=typos)


def capitalised(text: str) -> str:
    """The text with a capital first letter."""
    return text[:1].upper() + text[1:]


def is_question(text: str) -> bool:
    """Whether a plain phrase asks for a question mark."""
    words = text.lower().split()
    return bool(words) and words[0].strip(",") in _QUESTION_WORDS


def normalised(text: str) -> str:
    """The text without case, marks and double spaces: two questions that are equal so count as the same."""
    return " ".join(re.sub(r"[^\w+\-*=]+", " ", text.lower()).split())


def with_typo(text: str, rng: random.Random) -> str:
    """One slip of the finger inside a longer word: two letters swapped, one lost or one doubled."""
    places = [i for i in range(1, len(text) - 2) if text[i - 1 : i + 3].isalpha() and text[i] != text[i + 1]]
    if not places:
        return text
    i = rng.choice(places)
    swapped = text[:i] + text[i + 1] + text[i] + text[i + 2 :]
    return rng.choice((swapped, text[:i] + text[i + 1 :], text[:i] + text[i] + text[i:]))


def dressed(text: str, rng: random.Random, *, typos: bool = True) -> str:
    """A plain phrase as somebody might type it: with or without courtesy, capitals and marks."""
    question = is_question(text)
    if rng.random() < 0.16:
        text = rng.choice(_BEFORE_ANY) + text
    elif question and rng.random() < 0.14:
        text = rng.choice(_BEFORE_QUESTION) + text
    if rng.random() < 0.06:
        text += rng.choice(_AFTER_ANY)
    if rng.random() < 0.06:
        text = rng.choice(_PREAMBLES) + text
    if typos and rng.random() < _TYPO_RATE:
        text = with_typo(text, rng)
    return marked(text, question, rng)


def marked(text: str, question: bool, rng: random.Random) -> str:
    """Capitals and the final mark, in one of the usual habits."""
    habit = rng.random()
    if habit < 0.30:
        return text.lower() + ("?" if question and rng.random() < 0.4 else "")
    text = re.sub(r"\bi\b", "I", text)
    if habit < 0.42:
        return text + ("?" if question else "")
    text = capitalised(text)
    if question:
        return text + rng.choice(("?", "?", "?", "?", "?", "?", "", "??", " ?"))
    return text + rng.choice(("", "", ".", ".", "!")) if text[-1:].isalnum() else text
