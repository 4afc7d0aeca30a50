"""Small sums, differences and products."""

import random

from .phrasing import Turn, dressed, expand

NUMBERS = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
    "twenty",
]
_SUM = (
    "{a}+{b}",
    "{a} + {b}",
    "{a} + {b} =",
    "{a}+{b}=",
    "what is {a} + {b}",
    "what is {a}+{b}",
    "what is {a} plus {b}",
    "{a} plus {b}",
    "(calculate|compute|solve) {a} + {b}",
    "how much is {a} (+|plus|and) {b}",
    "add {a} and {b}",
    "(what is |)the sum of {a} and {b}",
    "what's {a} (+|plus) {b}",
    "what does {a} + {b} (make|give|equal)",
    "(can you |)add {b} to {a}",
    "{a} and {b} is how much",
    "how much (do|does) {a} and {b} make",
)
_DIFFERENCE = (
    "{a}-{b}",
    "{a} - {b}",
    "{a} - {b} =",
    "what is {a} - {b}",
    "what is {a}-{b}",
    "what is {a} minus {b}",
    "{a} minus {b}",
    "(calculate|compute|solve) {a} - {b}",
    "how much is {a} (-|minus) {b}",
    "subtract {b} from {a}",
    "take {b} (away |)from {a}",
    "what's {a} (-|minus) {b}",
    "{a} take away {b}",
    "{a} less {b}",
    "what (is left|remains) if i take {b} from {a}",
    "the difference (of|between) {a} and {b}",
)
_PRODUCT = (
    "{a}*{b}",
    "{a} * {b}",
    "{a} x {b}",
    "{a} * {b} =",
    "what is {a} * {b}",
    "what is {a} x {b}",
    "what is {a} times {b}",
    "{a} times {b}",
    "(calculate|compute|solve) {a} (*|x) {b}",
    "how much is {a} (times|*|x) {b}",
    "multiply {a} (by|and|with) {b}",
    "(what is |)the product of {a} and {b}",
    "what's {a} (*|times) {b}",
    "what is {a} multiplied by {b}",
)


def arithmetic(rng: random.Random) -> Turn:
    """Sums and differences of 0-20, products of 0-10."""
    kind = rng.choices("+-*", weights=(42, 36, 22))[0]
    top = 10 if kind == "*" or rng.random() < 0.4 else 20
    a, b = rng.randint(0, top), rng.randint(0, top)
    if kind == "-" and a < b and rng.random() < 0.75:
        a, b = b, a
    return sum_question(kind, a, b, rng), sum_answer(kind, a, b)


def sum_question(kind: str, a: int, b: int, rng: random.Random) -> str:
    """One of the ways to ask, with digits or with words."""
    frames = {"+": _SUM, "-": _DIFFERENCE, "*": _PRODUCT}[kind]
    x, y = (NUMBERS[a], NUMBERS[b]) if rng.random() < 0.12 else (str(a), str(b))
    question = expand(rng.choice(frames), rng).format(a=x, b=y)
    if question[0].isdigit() and not question[-1].isalpha():
        return question + rng.choice(("", "", "?"))
    return dressed(question, rng, typos=False)


def sum_answer(kind: str, a: int, b: int) -> str:
    """The one right answer."""
    result = {"+": a + b, "-": a - b, "*": a * b}[kind]
    return f"{a} {kind} {b} = {result}."
