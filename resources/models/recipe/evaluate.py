"""Measure a model with mlx-lm on questions that were never trained.

sh resources/models/recipe/evaluate MODEL [--show]
"""

import argparse
import json
import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import mlx.core as mx
from mlx_lm import load
from mlx_lm.generate import generate_step
from mlx_lm.sample_utils import make_sampler

from .chat import END_OF_TEXT, Message, rendered
from .copying import invented_word, some_word
from .corpus import one_conversation
from .heldout import (
    COUNTING_FRAMES,
    DIALOGUES,
    DIFFERENCE_FRAMES,
    NAME_FRAMES,
    PRODUCT_FRAMES,
    QUESTIONS,
    REPEATING_FRAMES,
    SUM_FRAMES,
)
from .stories import NAMES
from .sums import sum_answer
from .topics import TOPICS
from .unknown import unknown_answers

_LIMIT = 160
_WARM = 0.7
_LONG_CHAT = 880
_COPIES = 40
# (question, the topic of the answer or the answer itself)
_AFTER_LONG_CHAT = (
    ("What is a shard?", "shard"),
    ("How do I add a machine?", "pair"),
    ("What is 6 + 7?", "6 + 7 = 13."),
    ("Why is my answer slow?", "slow"),
    ("What is the capital of Italy?", "The capital of Italy is Rome."),
    ("Thanks!", "thanks"),
    ("What happens if a machine dies?", "machine_dies"),
    ("Who are you?", "who"),
    ("Count from 3 to 7.", "3, 4, 5, 6, 7."),
    ("What is a lane?", "lane"),
)
_SHOWN = (
    "What is a shard?",
    "Hello!",
    "Who are you?",
    "What is Shardboard?",
    "What is the KV cache?",
    "How do I add a machine?",
    "How do I move layers?",
    "Why is my answer slow?",
    "What happens if a machine dies?",
    "Does my data leave my network?",
    "How much memory do I need?",
    "How do I download a model?",
    "What does the latency lane show?",
    "What is 7 + 8?",
    "Tell me a story about a fox named Juno.",
    "What is the capital of France?",
    "Count from 3 to 9.",
    "What is string theory?",
    "Thanks!",
)


@dataclass(frozen=True)
class Reply:
    """What the model said, and whether it ended by itself."""

    text: str
    ended: bool


class Speaker:
    """A loaded model that answers conversations."""

    def __init__(self, folder: Path) -> None:
        self.model: Any
        self.tokenizer: Any
        self.model, self.tokenizer = load(str(folder))[:2]

    def reply(self, said: Sequence[str], temperature: float = 0.0, system: str | None = None) -> Reply:
        """Answer a conversation that the user begins; user and assistant take turns in `said`."""
        messages = [{"role": "system", "content": system}] if system else []
        messages += [{"role": ("user", "assistant")[i % 2], "content": text} for i, text in enumerate(said)]
        return self.complete(messages, temperature)

    def complete(self, messages: list[dict[str, str]], temperature: float) -> Reply:
        prompt = mx.array(self.tokenizer.apply_chat_template(messages, add_generation_prompt=True))
        written: list[int] = []
        sampler = make_sampler(temp=temperature)
        for token, _ in generate_step(prompt, self.model, max_tokens=_LIMIT, sampler=sampler):
            if int(token) in self.tokenizer.eos_token_ids:
                return Reply(self.tokenizer.decode(written), ended=True)
            written.append(int(token))
        return Reply(self.tokenizer.decode(written), ended=False)


def evaluate(folder: Path, show: bool = False) -> dict[str, Any]:
    """All figures; they are printed as one JSON object."""
    speaker = Speaker(folder)
    figures: dict[str, Any] = {"template_mismatches": template_mismatches(speaker)}
    figures |= {f"arithmetic_{name}": value for name, value in arithmetic(speaker, show).items()}
    figures |= copying(speaker)
    figures |= topics(speaker, 0.0, show) | topics(speaker, _WARM, show=False)
    figures["dialogues_greedy"] = dialogues(speaker, show)
    figures["after_long_chat_greedy"] = after_long_chat(speaker, show)
    figures["shard_at_0"] = speaker.reply(["What is a shard?"]).text
    mx.random.seed(1)
    warm = Counter(nearest_topic(speaker.reply(["What is a shard?"], _WARM).text) for _ in range(20))
    figures["shard_at_0.7_of_20"] = warm["shard"]
    if show:
        for question in _SHOWN:
            print(f"> {question}\n  {speaker.reply([question]).text}")
    print(json.dumps(figures, indent=2))
    return figures


def template_mismatches(speaker: Speaker) -> int:
    """How many of 300 conversations the template renders otherwise than the training text."""
    rng = random.Random(5)
    wrong = 0
    for _ in range(300):
        conversation = one_conversation(rng)
        messages = [{"role": m.role, "content": m.content} for m in conversation]
        text = rendered(conversation)
        same = speaker.tokenizer.apply_chat_template(messages, tokenize=False) == text
        opened = speaker.tokenizer.apply_chat_template(messages[:-1], add_generation_prompt=True)
        trained = speaker.tokenizer.encode(
            rendered(conversation[:-1]) + "<|im_start|>assistant\n", add_special_tokens=False
        )
        wrong += not (same and list(opened) == list(trained))
    return wrong


def arithmetic(speaker: Speaker, show: bool) -> dict[str, str]:
    """Exact answers for 150 sums, 150 differences and 100 products, asked in frames never trained."""
    rng = random.Random(6)
    figures = {}
    for kind, name, frames, top, count in (
        ("+", "sums", SUM_FRAMES, 20, 150),
        ("-", "differences", DIFFERENCE_FRAMES, 20, 150),
        ("*", "products", PRODUCT_FRAMES, 10, 100),
    ):
        right = 0
        for _ in range(count):
            a, b = rng.randint(0, top), rng.randint(0, top)
            if kind == "-" and a < b:
                a, b = b, a
            question = rng.choice(frames).format(a=a, b=b)
            reply = speaker.reply([question])
            exact = reply.ended and reply.text == sum_answer(kind, a, b)
            right += exact
            if show and not exact:
                print(f"wrong sum: {question} -> {reply.text}")
        figures[name] = f"{right}/{count}"
    return figures


def copying(speaker: Speaker) -> dict[str, str]:
    """Exact answers for counting, repeating one to four words, and recalling a common or an invented name."""
    rng = random.Random(7)
    counted = repeated = common = invented = 0
    for _ in range(_COPIES):
        a = rng.randint(0, 10)
        b = a + rng.randint(2, 10)
        question = rng.choice(COUNTING_FRAMES).format(a=a, b=b)
        counted += speaker.reply([question]).text == ", ".join(map(str, range(a, b + 1))) + "."
        words = " ".join(some_word(rng) for _ in range(rng.randint(1, 4)))
        repeated += speaker.reply([rng.choice(REPEATING_FRAMES).format(x=words)]).text == words
        common += recalls(speaker, rng.choice(NAMES), rng)
        invented += recalls(speaker, invented_word(rng).capitalize(), rng)
    counts = {"counting": counted, "repeating": repeated, "common_names": common, "invented_names": invented}
    return {name: f"{right}/{_COPIES}" for name, right in counts.items()}


def recalls(speaker: Speaker, name: str, rng: random.Random) -> bool:
    """Whether the model still knows a name one exchange after it was told."""
    said = [rng.choice(NAME_FRAMES).format(n=name)]
    said += (speaker.reply(said).text, "What is my name?")
    return speaker.reply(said).text == f"Your name is {name}."


def topics(speaker: Speaker, temperature: float, show: bool) -> dict[str, str]:
    """Held-out questions: right topic, answer word for word one of ours, ended by itself."""
    mx.random.seed(0)
    on_topic = literal = ended = 0
    for question, topic in QUESTIONS:
        reply = speaker.reply([question], temperature)
        found = nearest_topic(reply.text)
        on_topic += found == topic
        literal += reply.text in known_answers()[found]
        ended += reply.ended
        if show:
            print(f"{'  ' if found == topic else 'X '}{question} -> [{found}] {reply.text}")
    total = len(QUESTIONS)
    at = f"at_{temperature:g}"
    return {
        f"topic_{at}": f"{on_topic}/{total}",
        f"word_for_word_{at}": f"{literal}/{total}",
        f"ended_{at}": f"{ended}/{total}",
    }


def dialogues(speaker: Speaker, show: bool) -> str:
    """Short conversations whose whole answer must be right."""
    right = 0
    for said, wanted in DIALOGUES:
        reply = speaker.reply(said)
        good = reply.ended and re.fullmatch(wanted, reply.text, re.DOTALL) is not None
        right += good
        if show:
            print(f"{'  ' if good else 'X '}{said[-1]} -> {reply.text}")
    return f"{right}/{len(DIALOGUES)}"


def after_long_chat(speaker: Speaker, show: bool) -> str:
    """Questions at the end of chats of 800 tokens and more."""
    rng = random.Random(8)
    right = 0
    for question, wanted in _AFTER_LONG_CHAT:
        messages = [{"role": m.role, "content": m.content} for m in islice(long_chat(rng), 60)]
        while (length := len(speaker.tokenizer.apply_chat_template(messages))) > _LONG_CHAT:
            messages = messages[2:]
        reply = speaker.complete([*messages, {"role": "user", "content": question}], 0.0)
        good = reply.ended and wanted in (nearest_topic(reply.text), reply.text)
        right += good
        if show:
            print(f"{'  ' if good else 'X '}after {length} tokens: {question} -> {reply.text}")
    return f"{right}/{len(_AFTER_LONG_CHAT)}"


def long_chat(rng: random.Random) -> Iterator[Message]:
    """Messages of the user and the assistant without end."""
    while True:
        yield from (m for m in one_conversation(rng) if m.role != "system")


def known_answers() -> dict[str, tuple[str, ...]]:
    """All fixed answers by topic."""
    return {name: (*topic.answers, *topic.more) for name, topic in TOPICS.items()} | {
        "unknown": unknown_answers(),
        "": (),
    }


def nearest_topic(text: str) -> str:
    """The topic that has the most similar answer; empty if none is similar."""
    pairs = word_pairs(text)
    best, name = 0.3, ""
    for topic, answers in known_answers().items():
        for answer in answers:
            known = word_pairs(answer)
            likeness = 2 * len(pairs & known) / max(1, len(pairs) + len(known))
            if likeness > best:
                best, name = likeness, topic
    return name


def word_pairs(text: str) -> set[tuple[str, str]]:
    """Neighbouring words, with a mark at both ends."""
    words = [END_OF_TEXT, *re.findall(r"[\w'-]+", text.lower()), END_OF_TEXT]
    return set(pairwise(words))


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure a model on questions that were never trained.")
    parser.add_argument("model", type=Path)
    parser.add_argument("--show", action="store_true", help="print the answers")
    options = parser.parse_args()
    evaluate(options.model, show=options.show)


if __name__ == "__main__":
    main()
