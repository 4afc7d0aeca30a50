"""How a conversation is written down: the training text, and the template that must give the same."""

from dataclasses import dataclass

END_OF_TEXT = "<|endoftext|>"
START = "<|im_start|>"
END = "<|im_end|>"
SPECIAL_TOKENS = (END_OF_TEXT, START, END)

TEMPLATE = """\
{%- for message in messages %}
    {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}
"""


@dataclass(frozen=True)
class Message:
    """One turn; `role` is system, user or assistant."""

    role: str
    content: str


Conversation = tuple[Message, ...]


def rendered(conversation: Conversation) -> str:
    """The conversation as the model reads it."""
    return "".join(f"{START}{m.role}\n{m.content}{END}\n" for m in conversation)
