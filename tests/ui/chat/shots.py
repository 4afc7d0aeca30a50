"""Screenshots of the chat and the activity log, to be looked at: python -m tests.ui.chat.shots DIRECTORY"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from PySide6.QtCore import QEventLoop, QTimer
from PySide6.QtWidgets import QApplication, QWidget

from app.core.chat.conversation import Attachment, Conversation, asked
from app.core.chat.shelf import StoreShelf
from app.core.chat.store import ConversationStore
from app.core.errors import ShardboardError
from app.core.generation.request import GenerationEventNote, PrefillProgress
from app.core.snapshot import ActivityEntry, DeploymentState, Level, Snapshot
from app.ui.bridge import CoreBridge
from app.ui.chat import ChatPane
from app.ui.chat.answer_view import AnswerView
from app.ui.theme import Theme
from tests.ui.chat.fakes import PLACED, ScriptedController, Step, deployed, measured, result, token, whole

ANSWER = '''A pipeline splits a model **by depth**: each Mac holds a contiguous range of layers and hands its \
*hidden state* to the next one.

| stage | layers | hop |
| --- | --- | ---: |
| studio-a | 0-27 | 0.4 ms |
| mini-1 | 28-45 | 1.9 ms |

Per token the cost is the *sum* of the stages, so keep the slowest link short:

```python
def token_latency(stages, links):
    """Seconds for one decoded token through the whole pipeline, head to tail."""
    compute = sum(s.layers / s.layers_per_s for s in stages)
    # the ring closes between tail and head
    return compute + sum(link.rtt / 2 for link in links) + 0.004
```

Prefill is different: with `chunk=512` the stages overlap, and throughput is set by the **slowest** stage.

1. Measure each hop.
2. Move layers to the faster machine:
   - one boundary at a time
   - and look again
3. Deploy.

> A controller with a busy window costs the ring 2 %.

## Further reading

See [the notes](https://example.com/pipelines/notes) or https://example.org/a?b=1.
'''
WIDE = (
    "| "
    + " | ".join(f"column_number_{n}" for n in range(8))
    + " |\n"
    + "| --- " * 8
    + "|\n"
    + ("| " + " | ".join(f"{n * 1000:,} tokens" for n in range(8)) + " |\n") * 3
)
RTL = "مرحبا! هذا جواب **قصير** عن الطبقات.\n\n- أولاً: الذاكرة\n- ثانياً: الشبكة\n\n```\nx = 1\n```\n\nEnglish again."
QUESTION = "How does splitting a model across Macs change token latency?"


THINKING = """<think>
The reader asks how a split changes latency. First the sum of the stages, then the links.
</think>

It adds **one hop** per boundary."""
MATH = r"""The time of a token is $t = \sum_{i=1}^{n} \left( c_i + \frac{h_i}{2} \right)$, where $c_i \geq 0$:

$$ t_{\max} \leq n \cdot \max_i c_i + \mathcal{O}(\sqrt{n}) $$

It costs $5, not $10, and \(x^2 \in \mathbb{R}\)."""


def last(pane: ChatPane) -> AnswerView:
    view = pane.transcript.messages[-1]
    assert isinstance(view, AnswerView)
    return view


def open_lane(pane: ChatPane) -> None:
    pane.header.lane_button.click()


def branches(pane: ChatPane) -> None:
    pane.regenerate()
    wait(0.3)
    pane.edit(0, "How does a hop change it?")
    wait(0.3)


def attach(pane: ChatPane) -> None:
    files = (Attachment("placement_notes_of_november.md", "words " * 900), Attachment("run.log", "x" * 90_000))
    pane.composer.set_attachments(files)
    pane.send("What do these say?")
    wait(0.3)
    pane.composer.set_attachments(files)


def wait(seconds: float) -> None:
    loop = QEventLoop()
    QTimer.singleShot(round(seconds * 1000), loop.quit)
    loop.exec()


def chat(folder: Path, name: str, script: list[Step], question: str, width: int, more: dict[str, object]) -> None:
    snapshot: Snapshot = more.get("snapshot") or deployed()  # type: ignore[assignment]
    controller = ScriptedController([script or [0.0]], snapshot)
    bridge = CoreBridge(lambda: controller)
    bridge.start()
    shelf = StoreShelf(ConversationStore(Path(":memory:")))
    for words in ("Why is the sky blue?", "Plan a trip to Lisbon with two children and a dog", "ما هي الطبقات؟"):
        shelf.save(asked(Conversation(words, folder="Travel" if "Lisbon" in words else ""), words))
    pane = ChatPane(bridge, shelf)
    pane.resize(width, int(more.get("height", 868)))  # type: ignore[call-overload]
    pane.setAutoFillBackground(True)
    pane.show()
    wait(0.3)
    if question:
        pane.send(question)
        wait(float(more.get("after", 1.0)))  # type: ignore[arg-type]
    if then := more.get("then"):
        then(pane)  # type: ignore[operator]
        wait(0.2)
    if more.get("top"):
        pane.transcript.verticalScrollBar().setValue(0)
        wait(0.1)
    popover = {"prompt": pane.options.prompt, "sampling": pane.options.sampling, "list": pane.options.list}
    target: QWidget = pane
    if opened := more.get("popover"):
        options = pane.options
        {"prompt": options.open_prompt, "sampling": options.open_sampling, "list": options.open_list}[str(opened)]()
        target = popover[str(opened)]
        wait(0.1)
    target.grab().save(str(folder / f"{name}.png"))
    bridge.close()
    pane.close()
    pane.deleteLater()
    wait(0.02)


def cases() -> dict[str, tuple[list[Step], str, dict[str, object]]]:
    lost = GenerationEventNote(90, "error", "mini-2", "mini-2 ran out of memory while it computed layers 46-57.")
    again = GenerationEventNote(
        40, "recovered", "mini-1", "mini-1 was lost; the answer went on after 1.2 s on 2 nodes."
    )
    part = whole(ANSWER)[:60]
    refusal = ShardboardError("mini-1 is asleep: it did not answer for 2.5 s.", "Wake it, or deploy without it.")
    return {
        "answer": (whole(ANSWER), QUESTION, {}),
        "answer-top": (whole(ANSWER), QUESTION, {"top": True}),
        "streaming": ([*whole(ANSWER)[:150], 60.0], QUESTION, {}),
        "prefill": ([PrefillProgress(512, 1840), 60.0], QUESTION, {}),
        "error": ([*part, result("", 40, "error", events=(again, lost))], QUESTION, {}),
        "refused": ([refusal], QUESTION, {}),
        "wide-table": (whole(f"A wide table:\n\n{WIDE}\nThat was it."), "wide " * 40, {}),
        "rtl": (whole(RTL), "ما هي الطبقات؟", {}),
        "long-run": (whole("x" * 9000 + "\n\n" + "word " * 20, 500), "y" * 300, {"height": 500}),
        "empty": ([], "", {}),
        "empty-none": ([], "", {"snapshot": deployed(DeploymentState.NONE, context=0)}),
        "sampling": ([], "", {"popover": "sampling"}),
        "prompt": ([], "", {"popover": "prompt"}),
        "list": ([], "", {"popover": "list"}),
        "thinking": (whole(THINKING), QUESTION, {"then": lambda pane: last(pane).thinking.toggle.click()}),
        "thinking-folded": ([*whole(THINKING)[:20], 60.0], QUESTION, {}),
        "lane": (measured(ANSWER), QUESTION, {"snapshot": deployed(placement=PLACED), "then": open_lane}),
        "lane-empty": ([], "", {"then": open_lane}),
        "branches": (whole("One."), QUESTION, {"then": branches}),
        "editing": (whole(ANSWER[:300]), QUESTION, {"then": lambda pane: pane.transcript.messages[0].begin_edit()}),
        "attached": (whole("Two files."), QUESTION, {"then": attach}),
        "math": (whole(MATH), QUESTION, {}),
        "full": (whole("Yes."), QUESTION, {"snapshot": deployed(context=1090)}),
        "stopped": ([*whole(ANSWER)[:60], result("", 60, "length")], QUESTION, {}),
        "short": ([token("Yes"), result("Yes.", 2)], "Is it on?", {"height": 420}),
    }


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    wanted = sys.argv[2:]
    app = QApplication([])
    for mode in ("dark", "light"):
        Theme(app, mode)
        for name, (script, question, more) in cases().items():
            for width in (370, 900) if name.startswith("answer") else (340,):
                full = f"{name}-{width}-{mode}"
                if not wanted or any(word in full for word in wanted):
                    chat(folder, full, script, question, width, more)
                    print(full, flush=True)


def entries() -> list[ActivityEntry]:
    now = time.time()
    return [
        ActivityEntry(1, now - 9, Level.INFO, "studio-a", "agent 0.1.0 ready, 64 GB"),
        ActivityEntry(2, now - 3, Level.WARNING, "air-kit", "memory pressure, 0.6 GB left after load"),
    ]


if __name__ == "__main__":
    main()
