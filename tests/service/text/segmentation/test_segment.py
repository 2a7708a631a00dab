from service.text.segmentation.segment import Segment, join


def test_the_end_is_behind_the_text_and_before_the_separator() -> None:
    assert Segment(text="abc", separator="\n", start=4).end == 7


def test_join_keeps_separators() -> None:
    segments = [
        Segment(text="", separator=" ", start=0),
        Segment(text="A.", separator="\r\n", start=1),
        Segment(text="B", separator="", start=5),
    ]
    assert join(segments) == " A.\r\nB"
