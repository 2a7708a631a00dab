"""What crosses between front and engine arrives as it was sent."""

from dataclasses import replace

from service.engine.loop import Decoded, Progress
from service.engine.prefill import DecodeRequest
from service.scheduling.workers.messages import Frames, Report, Submit, encode
from tests.service.engine.tiny import BEAM, GREEDY, alone, tiny_sources


def test_a_trace_arrives_as_it_was_sent() -> None:
    for options in (GREEDY, BEAM):
        hypotheses = alone(tiny_sources()[2], replace(options, with_trace=True))
        assert hypotheses[0].trace is not None
        progress: Progress[int] = Progress(
            decoded=[
                Decoded(handle=7, hypotheses=hypotheses, wait_s=0.5, encode_s=0.25, decode_s=1.0)
            ]
        )
        (report,) = Frames().feed(encode(Report(progress=progress)))
        assert isinstance(report, Report)
        assert report.progress.decoded == progress.decoded


def test_options_arrive_as_they_were_sent() -> None:
    asked = DecodeRequest(
        handle=3, source_ids=tiny_sources()[2], options=replace(BEAM, with_trace=True)
    )
    (submit,) = Frames().feed(encode(Submit(requests=(asked,))))
    assert isinstance(submit, Submit)
    assert submit.requests == (asked,)
