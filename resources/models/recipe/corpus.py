"""The training text: conversations put together at random, from a fixed seed."""

import random
from collections.abc import Iterator

from .chat import Conversation, Message, rendered
from .copying import THINGS, invented_word
from .heldout import QUESTIONS
from .phrasing import Turn, asked, normalised
from .skills import ask_skill
from .stories import ask_story, name, story
from .topics import HOWTO, PERSONAL, TROUBLE, WORDS, Topic
from .unknown import ask_unknown

_HELD_OUT = frozenset(normalised(question) for question, _ in QUESTIONS)
_ANSWER_WEIGHTS = (6, 3, 2)
_SYSTEM_PROMPTS = (
    "You are a helpful assistant.",
    "You are a helpful assistant.",
    "You are the assistant of Shardboard.",
    "Answer briefly.",
    "Be friendly and brief.",
    "You are a friendly helper. Keep your answers short.",
    "You are an expert for distributed language models.",
)
_TELL_ME_MORE = (
    "tell me more",
    "more",
    "more please",
    "go on",
    "tell me more about (it|that|this)",
    "can you say more",
    "anything else",
    "continue",
    "more details",
    "what else",
)
_TELL_NAME = (
    "my name is {n}",
    "my name is {n}",
    "my name's {n}",
    "(i am|i'm) {n}",
    "(call me|you can call me) {n}",
    "(hello|hi|hey), (i am|my name is|i'm) {n}",
    "(hello|hi), {n} here",
)
_ASK_NAME = (
    "what is my name",
    "(what's|what was) my name",
    "do you (remember|know) my name",
    "who am i",
    "what am i called",
    "(tell me|say|repeat) my name",
    "(can|do) you remember (who i am|my name)",
)
_TELL_COLOUR = ("my favourite {word} is {x}", "i like {x} best", "the {word} i like best is {x}")
_ASK_COLOUR = (
    "what is my favourite {word}",
    "which {word} do i like (best|)",
    "do you remember my favourite {word}",
)
_TELL_WORD = (
    "(please |)remember the word {x}",
    "please remember {x}",
    "keep the word {x} in mind",
    "the secret word is {x}",
)
_ASK_WORD = (
    "what was the word",
    "which word did i (tell|give) you",
    "what is the (secret |)word",
    "do you remember the word",
)
_PERSONAS = (
    "You are {n}.",
    "Your name is {n}.",
    "You are {n}, a helpful assistant.",
    "You are an assistant called {n}.",
)
_ASK_PERSONA = (
    "who are you",
    "what is your name",
    "what's your name",
    "what are you called",
    "introduce yourself",
    "tell me your name",
)
_COLOURS = ["red", "blue", "green", "yellow", "white", "black", "orange", "purple", "pink"]
_RECALL_LATER = 0.75
_UNKNOWN_NAME = "You have not told me your name yet. What is it?"
_MORE_IS_LITTLE = "That is all I know about it. Ask me something else about Shardboard."


def conversations(seed: int) -> Iterator[str]:
    """An endless stream of documents, the same for the same seed."""
    rng = random.Random(seed)
    while True:
        if rng.random() < 0.03:
            yield story(rng)
            continue
        conversation = one_conversation(rng)
        if not any(m.role == "user" and normalised(m.content) in _HELD_OUT for m in conversation):
            yield rendered(conversation)


def one_conversation(rng: random.Random) -> Conversation:
    """One to four questions, now and then many; with a system prompt or without."""
    if rng.random() < 0.03:
        return persona(rng)
    messages: list[Message] = []
    if rng.random() < 0.22:
        messages.append(Message("system", rng.choice(_SYSTEM_PROMPTS)))
    if rng.random() < 0.13:
        turns = remembered(rng)
    else:
        count = rng.choices((1, 2, 3, 4, 8), weights=(38, 27, 18, 12, 5))[0]
        turns = questions_in_a_row(rng, count)
    for question, answer in turns:
        messages += (Message("user", question), Message("assistant", answer))
    return tuple(messages)


def questions_in_a_row(rng: random.Random, count: int) -> list[Turn]:
    """Questions in a row; the later ones may lean on the one before."""
    turns: list[Turn] = []
    topic: Topic | None = None
    for _ in range(count):
        if topic is not None and rng.random() < 0.13:
            more = topic.more[0] if topic.more else _MORE_IS_LITTLE
            turns.append((asked(rng, *_TELL_ME_MORE), more))
            topic = None
            continue
        turn, topic = one_turn(rng, after_word=topic is not None)
        turns.append(turn)
    return turns


def one_turn(rng: random.Random, *, after_word: bool) -> tuple[Turn, Topic | None]:
    """A question with its answer, and the topic it belongs to, if it is one of ours."""
    kinds = ("words", "howto", "trouble", "personal", "skill", "story", "unknown")
    kind = rng.choices(kinds, weights=(24, 15, 13, 12, 27, 4, 8))[0]
    if kind == "skill":
        return ask_skill(rng), None
    if kind == "story":
        return ask_story(rng), None
    if kind == "unknown":
        return ask_unknown(rng), None
    topic = rng.choice({"words": WORDS, "howto": HOWTO, "trouble": TROUBLE, "personal": PERSONAL}[kind])
    return about(topic, rng, after_word=after_word), topic


def about(topic: Topic, rng: random.Random, *, after_word: bool = False) -> Turn:
    """Ask about a topic in one of its ways."""
    patterns = topic.follow_ups if after_word and topic.follow_ups and rng.random() < 0.3 else topic.questions
    return asked(rng, *patterns), rng.choices(topic.answers, weights=_ANSWER_WEIGHTS[: len(topic.answers)])[0]


def remembered(rng: random.Random) -> list[Turn]:
    """Somebody tells something, talks of other things, and asks for it again."""
    between = [
        one_turn(rng, after_word=False)[0] for _ in range(rng.choices((0, 1, 2, 3), weights=(40, 35, 15, 10))[0])
    ]
    if rng.random() < 0.06:
        return [*between, (asked(rng, *_ASK_NAME), _UNKNOWN_NAME)]
    tell, ask = rng.choice((own_name, own_name, own_colour, a_word))(rng)
    return [tell, *between, ask] if rng.random() < _RECALL_LATER else [*between, tell, ask]


def own_name(rng: random.Random) -> tuple[Turn, Turn]:
    who = name(rng)
    tell = asked(rng, *_TELL_NAME, typos=False, n="{n}").replace("{n}", who)
    replies = (f"Nice to meet you, {who}! How can I help you?", f"Hello {who}! What would you like to know?")
    return (tell, rng.choices(replies, weights=(2, 1))[0]), (asked(rng, *_ASK_NAME), f"Your name is {who}.")


def own_colour(rng: random.Random) -> tuple[Turn, Turn]:
    colour = rng.choice(_COLOURS)
    word = rng.choice(("colour", "color"))
    tell = asked(rng, *_TELL_COLOUR, typos=False, word=word, x=colour)
    return (tell, f"{colour.capitalize()} is a nice colour!"), (
        asked(rng, *_ASK_COLOUR, word=word),
        f"Your favourite colour is {colour}.",
    )


def a_word(rng: random.Random) -> tuple[Turn, Turn]:
    word = rng.choice(THINGS) if rng.random() < 0.5 else invented_word(rng)
    tell = asked(rng, *_TELL_WORD, typos=False, x=word)
    return (tell, f"I will remember the word {word}."), (asked(rng, *_ASK_WORD), f"The word was {word}.")


def persona(rng: random.Random) -> Conversation:
    """A system prompt that gives the model a name."""
    who = name(rng)
    messages = [Message("system", rng.choice(_PERSONAS).format(n=who))]
    if rng.random() < 0.4:
        question, answer = one_turn(rng, after_word=False)[0]
        messages += (Message("user", question), Message("assistant", answer))
    messages.append(Message("user", asked(rng, *_ASK_PERSONA)))
    messages.append(Message("assistant", f"I am {who}, a small demo model. How can I help you?"))
    return tuple(messages)
