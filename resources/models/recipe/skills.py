"""All small skills, with how often each one is practised."""

import random
from collections.abc import Callable

from .copying import counting, listing, repeating
from .facts import animal, calendar, capital, colour, fixed, opposite
from .phrasing import Turn
from .sums import arithmetic

_SKILLS: tuple[tuple[Callable[[random.Random], Turn], float], ...] = (
    (arithmetic, 24),
    (capital, 2.2),
    (colour, 1.2),
    (animal, 1.2),
    (opposite, 1.7),
    (calendar, 1.4),
    (counting, 1.6),
    (repeating, 3),
    (listing, 1),
    (fixed, 1.8),
)


def ask_skill(rng: random.Random) -> Turn:
    """A question for one of the skills, with its one right answer."""
    make = rng.choices([f for f, _ in _SKILLS], weights=[weight for _, weight in _SKILLS])[0]
    return make(rng)
