"""The shape of a topic, and the frames that ask for the meaning of a word."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Topic:
    """One thing that can be asked.

    Attributes:
        name: a short key, used by the evaluation.
        questions: patterns; `(a|b|)` stands for one of its alternatives (see phrasing.expand).
        answers: good answers, the best one first.
        more: what to add when the person then says "tell me more".
        follow_ups: patterns that make sense only right after another question ("and a lane?").
    """

    name: str
    questions: tuple[str, ...]
    answers: tuple[str, ...]
    more: tuple[str, ...] = ()
    follow_ups: tuple[str, ...] = ()


# {a}: the word with its article, {bare}: without, {many}: in the plural.
DEFINITION_FRAMES = (
    "what is {a}",
    "what is {a}",
    "what('s| exactly is) {a}",
    "what is {a} (exactly|then|for|actually|really)",
    "what is {a} in (Shardboard|this app|this program|here)",
    "what is {bare}",
    "what is the {bare}",
    "what are {many}",
    "what are {many} (for|in Shardboard|good for)",
    "what does {bare} mean",
    "what does the word {bare} mean",
    "what does {a} do",
    "what do you mean (by|with) {bare}",
    "what do you call {a}",
    "explain {a}",
    "explain {bare} (to me|please|)",
    "explain (what|me what) {a} is",
    "(please |)define {bare}",
    "definition of {bare}",
    "the meaning of {bare}",
    "what is the (meaning|definition) of {bare}",
    "describe {a}",
    "tell me (about|what you know about) {many}",
    "tell me what {a} is",
    "(can|could) you (explain|tell me) what {a} is",
    "(can|could) you explain {a}",
    "i (don't|do not) (understand|know|get) what {a} is",
    "i have no idea what {a} is",
    "i (want|would like) to (know|understand) what {a} is",
    "(do you know|so) what is {a}",
    "{bare}",
    "{bare} (meaning|definition|explained)",
    "how does {a} work",
    "what is meant by {bare}",
    "what (can you tell|do you know) (me |)about {many}",
    "(the app|it|the window) says {bare}, what is that",
    "i read the word {bare}, what is it",
    "give me (a definition of|an explanation of) {bare}",
    "in (simple|short|plain) words, what is {a}",
    "why (is there|do we have|do i need) {a}",
)

FOLLOW_UP_FRAMES = (
    "and {a}",
    "and what is {a}",
    "what about {a}",
    "and {many}",
    "how about {a}",
    "ok, and {a}",
    "then what is {a}",
)


def word(
    name: str,
    article: str,
    answers: tuple[str, ...],
    *,
    bare: str | None = None,
    many: str | None = None,
    more: tuple[str, ...] = (),
    also: tuple[str, ...] = (),
) -> Topic:
    """A topic that asks for the meaning of a word; `article` is "a", "the" or "" and so on."""
    bare = bare or name
    many = many or f"{bare}s"
    forms = {"a": f"{article} {bare}".strip(), "bare": bare, "many": many}
    return Topic(
        name=name,
        questions=tuple(frame.format(**forms) for frame in DEFINITION_FRAMES) + also,
        answers=answers,
        more=more,
        follow_ups=tuple(frame.format(**forms) for frame in FOLLOW_UP_FRAMES),
    )
