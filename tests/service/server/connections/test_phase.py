"""Which side of a connection has to act next."""

import pytest

from service.server.connections.phase import Expected, Phase, num_complete, phase_of


@pytest.mark.parametrize(
    ("expected", "num_unanswered", "has_partial_head", "phase"),
    [
        (Expected.NOTHING, 0, False, Phase.IDLE),
        (Expected.NOTHING, 0, True, Phase.HEAD),
        (Expected.HEAD, 0, False, Phase.HEAD),
        (Expected.BODY, 1, False, Phase.BODY),
        (Expected.BODY, 0, False, Phase.LINGER),
        (Expected.NOTHING, 1, False, Phase.COMPLETE),
        (Expected.HEAD, 1, True, Phase.COMPLETE),
        (Expected.BODY, 2, False, Phase.COMPLETE),
    ],
)
def test_phase_follows_from_what_has_arrived(
    expected: Expected, num_unanswered: int, has_partial_head: bool, phase: Phase
) -> None:
    def found(*, is_closing: bool) -> Phase:
        return phase_of(
            expected,
            num_unanswered=num_unanswered,
            has_partial_head=has_partial_head,
            is_closing=is_closing,
        )

    assert found(is_closing=False) is phase
    assert found(is_closing=True) is Phase.CLOSING


def test_request_whose_body_is_arriving_is_not_complete() -> None:
    assert [num_complete(Expected.BODY, number) for number in range(4)] == [0, 0, 1, 2]
    assert [num_complete(Expected.HEAD, number) for number in range(4)] == [0, 1, 2, 3]
