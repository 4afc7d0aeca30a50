"""Counting, repeating and listing: answers made of what stands in the question."""

import random

from .phrasing import Turn, asked, capitalised, expand
from .sums import NUMBERS

THINGS = [
    "apple",
    "ball",
    "book",
    "boat",
    "box",
    "bread",
    "cake",
    "chair",
    "coin",
    "cup",
    "door",
    "drum",
    "flower",
    "garden",
    "glass",
    "hat",
    "house",
    "kite",
    "lamp",
    "leaf",
    "map",
    "moon",
    "nut",
    "pen",
    "piano",
    "ring",
    "river",
    "road",
    "rock",
    "rope",
    "shell",
    "shoe",
    "spoon",
    "star",
    "stone",
    "table",
    "tree",
    "window",
    "wheel",
    "cloud",
    "candle",
    "button",
    "basket",
    "pillow",
    "ladder",
    "mirror",
    "bottle",
    "blanket",
    "umbrella",
]
_ADJECTIVES = [
    "red",
    "blue",
    "green",
    "yellow",
    "white",
    "black",
    "big",
    "small",
    "old",
    "new",
    "happy",
    "quiet",
    "warm",
    "cold",
    "bright",
    "soft",
]
_SYLLABLES = [
    "ba",
    "be",
    "bi",
    "bo",
    "da",
    "de",
    "di",
    "do",
    "fa",
    "fi",
    "ga",
    "go",
    "ka",
    "ki",
    "ko",
    "la",
    "le",
    "li",
    "lo",
    "lu",
    "ma",
    "me",
    "mi",
    "mo",
    "mu",
    "na",
    "ne",
    "ni",
    "no",
    "pa",
    "pe",
    "po",
    "ra",
    "re",
    "ri",
    "ro",
    "ru",
    "sa",
    "se",
    "si",
    "so",
    "ta",
    "te",
    "ti",
    "to",
    "va",
    "ve",
    "vi",
    "za",
    "zo",
    "an",
    "el",
    "is",
    "or",
    "un",
]
_REPEAT = (
    "repeat (after me|this|these words|)",
    "say( this|)",
    "please repeat",
    "echo",
    "can you say",
    "write",
)
_LIST = (
    "(make|write) a list",
    "make a list of these",
    "list these",
    "turn this into a list",
    "write these as a list",
)


def invented_word(rng: random.Random) -> str:
    """A word that nobody uses, so that copying is learned rather than a list of words."""
    return "".join(rng.choices(_SYLLABLES, k=rng.choice((2, 2, 3)))) + rng.choice(("", "", "n", "s", "r", "l"))


def some_word(rng: random.Random) -> str:
    """A common word or an invented one."""
    return rng.choice(THINGS + _ADJECTIVES) if rng.random() < 0.6 else invented_word(rng)


def counting(rng: random.Random) -> Turn:
    first = 1 if rng.random() < 0.5 else rng.randint(0, 15)
    last = first + rng.randint(2, 12)
    if rng.random() < 0.15:
        question = asked(rng, "count (down|backwards) from {b} to {a}", typos=False, a=first, b=last)
        return question, ", ".join(map(str, range(last, first - 1, -1))) + "."
    if first == 1 and rng.random() < 0.5:
        patterns = ("(count|can you count|count up) to {b}",)
    else:
        patterns = ("(count|can you count|please count|count the numbers|the numbers) from {a} to {b}",)
    return asked(rng, *patterns, typos=False, a=first, b=last), ", ".join(map(str, range(first, last + 1))) + "."


def repeating(rng: random.Random) -> Turn:
    if rng.random() < 0.3:
        times, word = rng.randint(2, 5), some_word(rng)
        question = asked(rng, "(say|repeat|write) (the word |){x} {n} times", typos=False, x=word, n=NUMBERS[times])
        return question, ", ".join([word] * times) + "."
    words = " ".join(some_word(rng) for _ in range(rng.randint(1, 5)))
    return f"{capitalised(expand(rng.choice(_REPEAT), rng))}{rng.choice((':', ':', ':', ''))} {words}", words


def listing(rng: random.Random) -> Turn:
    words = rng.sample(THINGS, k=rng.randint(3, 5))
    question = f"{capitalised(expand(rng.choice(_LIST), rng))}: {', '.join(words)}"
    return question, "\n".join(f"{i}. {capitalised(word)}" for i, word in enumerate(words, 1))
