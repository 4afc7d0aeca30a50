"""What the model knows: every topic with the ways to ask about it and the answers to give."""

from .howto import HOWTO
from .kinds import Topic
from .personal import PERSONAL
from .trouble import TROUBLE
from .words import WORDS

__all__ = ["HOWTO", "PERSONAL", "TOPICS", "TROUBLE", "WORDS", "Topic"]

TOPICS: dict[str, Topic] = {topic.name: topic for topic in (*WORDS, *HOWTO, *TROUBLE, *PERSONAL)}
