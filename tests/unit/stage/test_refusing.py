"""Why a sequence is not opened, as a table."""

from __future__ import annotations

import pytest

from shardd.rpc import lane_pb2
from shardd.stage.refusing import refuse

ORDINARY = [3, 4, 5]
WRONG_SAMPLING = lane_pb2.Open(sampling=lane_pb2.Sampling(temperature=-1))


@pytest.mark.parametrize(
    ("opened", "prompt", "state", "refusal"),
    [
        (lane_pb2.Open(), ORDINARY, {"open_already": True}, lane_pb2.REFUSAL_UNSPECIFIED),
        (lane_pb2.Open(), ORDINARY, {"crowded": True}, lane_pb2.CROWDED),
        (lane_pb2.Open(), [], {}, lane_pb2.PROMPT_EMPTY),
        (lane_pb2.Open(), [3] * 8, {}, lane_pb2.PROMPT_TOO_LONG),
        (lane_pb2.Open(), [3, 100], {}, lane_pb2.PROMPT_UNKNOWN_TOKENS),
        (lane_pb2.Open(), [3, -1], {}, lane_pb2.PROMPT_UNKNOWN_TOKENS),
        (WRONG_SAMPLING, ORDINARY, {}, lane_pb2.SAMPLING_WRONG),
    ],
)
def test_what_is_refused(
    opened: lane_pb2.Open, prompt: list[int], state: dict[str, bool], refusal: lane_pb2.Refusal
) -> None:
    refused = refuse(opened, prompt, 8, 100, **{"open_already": False, "crowded": False} | state)
    assert refused is not None and refused.refusal == refusal and refused.sentence.endswith(".")


def test_what_is_opened() -> None:
    assert refuse(lane_pb2.Open(), [3] * 7, 8, 100, open_already=False, crowded=False) is None
