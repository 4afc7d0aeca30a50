"""Short stories in the style of a children's book, about whom you like."""

import random

from .copying import THINGS, invented_word
from .phrasing import Turn, dressed, expand

NAMES = [
    "Anna",
    "Ben",
    "Clara",
    "David",
    "Emma",
    "Finn",
    "Grace",
    "Henry",
    "Ivy",
    "Jack",
    "Kate",
    "Leo",
    "Mia",
    "Noah",
    "Olive",
    "Paul",
    "Rosa",
    "Sam",
    "Tom",
    "Una",
    "Vera",
    "Will",
    "Zoe",
    "Max",
    "Lucy",
    "Oscar",
    "Nina",
    "Hugo",
    "Ella",
    "Theo",
    "Adam",
    "Alice",
    "Amir",
    "Beth",
    "Carl",
    "Chloe",
    "Daniel",
    "Elena",
    "Eric",
    "Eva",
    "Felix",
    "Fiona",
    "George",
    "Hannah",
    "Ian",
    "Irene",
    "James",
    "Jane",
    "John",
    "Julia",
    "Karl",
    "Laura",
    "Liam",
    "Lisa",
    "Marco",
    "Maria",
    "Mark",
    "Martin",
    "Mary",
    "Nora",
    "Omar",
    "Peter",
    "Rachel",
    "Robert",
    "Ruth",
    "Sara",
    "Simon",
    "Sophie",
    "Stefan",
    "Susan",
    "Tim",
    "Tina",
    "Victor",
    "Wendy",
    "Yuki",
    "Yusuf",
    "Priya",
    "Chen",
    "Ravi",
    "Aisha",
    "Ingrid",
    "Pablo",
]
ANIMALS = [
    "cat",
    "dog",
    "fox",
    "bird",
    "rabbit",
    "mouse",
    "frog",
    "bear",
    "turtle",
    "horse",
    "owl",
    "lion",
    "duck",
    "sheep",
    "goat",
    "hedgehog",
]
_PLACES = ("the park", "the forest", "the beach", "the garden", "the hill", "the river", "the farm", "the market")
_OPENINGS = ("Once upon a time, there was {who}.", "One day, there was {who}.", "Long ago, there lived {who}.")
_PLOTS = (
    "{n} liked to play in {place}. One morning, {n} found a {look} {thing} on the ground. A {other} came and said, "
    '"That is my {thing}." {n} gave it back, and the {other} was very happy.',
    '{n} wanted to go to {place} with {friend}. But it started to rain. "Do not worry," said {friend}. They made a '
    "{look} {thing} out of paper, and soon the sun came out.",
    "{n} had a {look} {thing} and loved it very much. One day, the {thing} was gone. Then {friend} came to help. "
    '"Look!" said {friend}. "The {other} has your {thing}!" And {n} laughed.',
    "{n} was walking to {place} and met a {other}. The {other} was hungry and cold. {n} gave the {other} some bread. "
    "The next day, the {other} brought {n} a {look} {thing}.",
)
_ENDINGS = (
    "From that day on, they were best friends.",
    "It was the best day ever.",
    "And they all lived happily ever after.",
)
_LOOKS = ("red", "blue", "green", "big", "small", "new", "warm", "soft")
_ASK = (
    "tell me a{s} story",
    "write a{s} story",
    "write me a{s} story",
    "(can|could) you tell (me |)a{s} story",
    "make up a{s} story",
    "i want (to hear |)a{s} story",
    "a{s} story",
    "tell a{s} story",
    "do you know a{s} story",
    "please tell me a{s} story",
)


def name(rng: random.Random) -> str:
    """A common name, or one that nobody has."""
    return rng.choice(NAMES) if rng.random() < 0.6 else invented_word(rng).capitalize()


def story(rng: random.Random, hero: str | None = None, beast: str | None = None) -> str:
    """About 70 words with a happy end."""
    n = hero or name(rng)
    beast = beast or (None if hero else rng.choice(ANIMALS))
    article = "an" if beast and beast[0] in "aeiou" else "a"
    who = f"{article} {beast} named {n}" if beast else f"a child named {n}"
    filled = " ".join((rng.choice(_OPENINGS), rng.choice(_PLOTS), rng.choice(_ENDINGS)))
    return filled.format(
        who=who,
        n=n,
        place=rng.choice(_PLACES),
        look=rng.choice(_LOOKS),
        thing=rng.choice(THINGS[:20]),
        other=rng.choice([a for a in ANIMALS if a != beast and a[0] not in "aeiou"]),
        friend=rng.choice([x for x in NAMES if x != n]),
    )


def ask_story(rng: random.Random) -> Turn:
    """Any story, one about an animal, about somebody, or about an animal with a name."""
    ask = expand(rng.choice(_ASK).replace("{s}", rng.choice((" short", "", ""))), rng)
    kind = rng.random()
    if kind < 0.25:
        return dressed(ask, rng), story(rng)
    beast, hero = rng.choice(ANIMALS), name(rng)
    article = "an" if beast[0] in "aeiou" else "a"
    if kind < 0.5:
        return dressed(f"{ask} about {article} {beast}", rng, typos=False), story(rng, beast=beast)
    if kind < 0.65:
        return named(f"{ask} about {hero}", hero, rng), story(rng, hero=hero)
    joint = rng.choice(("named", "called", "with the name", "named"))
    return named(f"{ask} about {article} {beast} {joint} {hero}", hero, rng), story(rng, hero=hero, beast=beast)


def named(text: str, hero: str, rng: random.Random) -> str:
    """Dress the text, but keep the name as it is written."""
    return dressed(text, rng, typos=False).replace(hero.lower(), hero)
