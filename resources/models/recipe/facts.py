"""Facts a child knows, and some fixed texts that show Markdown."""

import random

from .phrasing import Turn, asked, capitalised
from .sums import NUMBERS

_CAPITAL_FRAMES = (
    "(what is|tell me|name|what's) the capital (city |)of {x}",
    "what is the capital of {x}",
    "which city is the capital of {x}",
    "(capital of {x}|what is {x}'s capital|{x}'s capital)",
)
_CAPITALS = {
    "France": "Paris",
    "Germany": "Berlin",
    "Italy": "Rome",
    "Spain": "Madrid",
    "Portugal": "Lisbon",
    "Austria": "Vienna",
    "Poland": "Warsaw",
    "Greece": "Athens",
    "Norway": "Oslo",
    "Sweden": "Stockholm",
    "Denmark": "Copenhagen",
    "Finland": "Helsinki",
    "Ireland": "Dublin",
    "Belgium": "Brussels",
    "Hungary": "Budapest",
    "Egypt": "Cairo",
    "Japan": "Tokyo",
    "China": "Beijing",
    "India": "New Delhi",
    "Canada": "Ottawa",
    "Peru": "Lima",
    "Cuba": "Havana",
    "Australia": "Canberra",
    "England": "London",
    "Kenya": "Nairobi",
    "Switzerland": "Bern",
}
_COLOURS = {
    "the sky": "blue",
    "grass": "green",
    "the sun": "yellow",
    "snow": "white",
    "the night": "black",
    "blood": "red",
    "a carrot": "orange",
    "a lemon": "yellow",
    "a strawberry": "red",
    "coal": "black",
    "milk": "white",
    "a leaf": "green",
    "the sea": "blue",
    "a tomato": "red",
    "a banana": "yellow",
    "a frog": "green",
}
_SOUNDS = {
    "a cow": "moo",
    "a dog": "woof",
    "a cat": "meow",
    "a duck": "quack",
    "a sheep": "baa",
    "a pig": "oink",
    "a lion": "roar",
    "a bee": "buzz",
    "an owl": "hoot",
    "a horse": "neigh",
}
_LEGS = {
    "a cow": 4,
    "a dog": 4,
    "a cat": 4,
    "a duck": 2,
    "a bee": 6,
    "a spider": 8,
    "an owl": 2,
    "a horse": 4,
    "an ant": 6,
    "a sheep": 4,
}
_PAIRS = (
    "hot cold|big small|up down|day night|happy sad|fast slow|old new|wet dry|hard soft|open closed|full empty|left "
    "right|light dark|early late|high low|strong weak|rich poor|clean dirty|near far|"
    "loud quiet|good bad|long short|first last|black white"
)
_OPPOSITES = {a: b for pair in _PAIRS.split("|") for a, b in (tuple(pair.split()), tuple(reversed(pair.split())))}
_DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
_FIXED = (
    ("(write|show me|print) hello world in Python", 'Here it is:\n\n```python\nprint("Hello, world!")\n```'),
    (
        "(show me|write) (some|a bit of|a piece of|an example of) (code|Python|Python code)",
        "Here is a small Python function:\n\n```python\ndef add(a, b):\n    return a + b\n```\n\nIt returns the sum "
        "of `a` and `b`.",
    ),
    (
        "(write|show me) a (Python function|function) that adds two numbers",
        "Here is a small Python function:\n\n```python\ndef add(a, b):\n    return a + b\n```\n\nIt returns the sum "
        "of `a` and `b`.",
    ),
    (
        "(show me|make|write|give me) (a table|an example table|a Markdown table)",
        "| Stage | Layers |\n| --- | --- |\n| head | 0-3 |\n| middle | 4-7 |\n| tail | 8-11 |",
    ),
    (
        "(show me|write) (some Markdown|Markdown|bold text|an example of Markdown)",
        "This is **bold**, this is *italic*, and this is `code`.",
    ),
    ("(list|name|tell me|what are) the (days of the week|seven days|weekdays)", "\n".join(f"- {day}" for day in _DAYS)),
    (
        "(list|name|tell me|what are) the (months|months of the year|twelve months)",
        "\n".join(f"- {month}" for month in _MONTHS),
    ),
    ("(say|recite|write|what is) the alphabet", "A B C D E F G H I J K L M N O P Q R S T U V W X Y Z"),
    ("(name|list|what are) the (four |)seasons", "Spring, summer, autumn and winter."),
    ("how many days (are in|does|has) a week( have|)", "A week has seven days."),
    ("how many months (are in|does|has) a year( have|)", "A year has twelve months."),
    ("how many (hours) (are in|does|has) a day( have|)", "A day has 24 hours."),
    ("how many (minutes) (are in|does|has) an hour( have|)", "An hour has 60 minutes."),
)


def capital(rng: random.Random) -> Turn:
    country, city = rng.choice(list(_CAPITALS.items()))
    if rng.random() < 0.15:
        return asked(rng, "{x} is the capital of which country", x=city), f"{city} is the capital of {country}."
    return asked(rng, *_CAPITAL_FRAMES, x=country), f"The capital of {country} is {city}."


def colour(rng: random.Random) -> Turn:
    thing, name = rng.choice(list(_COLOURS.items()))
    question = asked(
        rng,
        "what (colour|color) is {x}",
        "which (colour|color) (is|has) {x}",
        "what is the (colour|color) of {x}",
        "(tell me the|the) (colour|color) of {x}",
        x=thing,
    )
    return question, f"{capitalised(thing)} is {name}."


def animal(rng: random.Random) -> Turn:
    if rng.random() < 0.5:
        beast, sound = rng.choice(list(_SOUNDS.items()))
        question = asked(rng, "what does {x} say", "what (sound|noise) does {x} make", "how does {x} sound", x=beast)
        return question, f"{capitalised(beast)} says {sound}."
    beast, legs = rng.choice(list(_LEGS.items()))
    question = asked(rng, "how many legs does {x} have", "how many legs has {x}", "number of legs of {x}", x=beast)
    return question, f"{capitalised(beast)} has {NUMBERS[legs]} legs."


def opposite(rng: random.Random) -> Turn:
    a, b = rng.choice(list(_OPPOSITES.items()))
    question = asked(
        rng,
        "(what is|tell me|give me|what's) the opposite of {x}",
        "opposite of {x}",
        "what is the contrary of {x}",
        "which word is the opposite of {x}",
        x=a,
    )
    return question, f"The opposite of {a} is {b}."


def calendar(rng: random.Random) -> Turn:
    names, kind = rng.choice(((_DAYS, "day"), (_DAYS, "day"), (_MONTHS, "month")))
    i = rng.randrange(len(names))
    if rng.random() < 0.75:
        question = asked(
            rng,
            "(what|which) {kind} (comes after|follows|is after|is next after) {x}",
            "what comes after {x}",
            "the {kind} after {x}",
            x=names[i],
            kind=kind,
        )
        return question, f"{names[(i + 1) % len(names)]} comes after {names[i]}."
    question = asked(
        rng,
        "(what|which) {kind} (comes before|is before) {x}",
        "what comes before {x}",
        "the {kind} before {x}",
        x=names[i],
        kind=kind,
    )
    return question, f"{names[i - 1]} comes before {names[i]}."


def fixed(rng: random.Random) -> Turn:
    """Code, a table, a list: something to look at in the chat window."""
    question, answer = rng.choice(_FIXED)
    return asked(rng, question), answer
