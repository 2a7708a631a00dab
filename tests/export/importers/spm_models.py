"""SentencePiece models of the toy language, small and quickly trained."""

import io
from functools import cache

import sentencepiece

from tests.data.toy_language import sentence_pairs


@cache
def spm(side: int, kind: str = "unigram", *, size: int = 120) -> bytes:
    """A SentencePiece model of English (0) or German (1), as OPUS-MT's are trained."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([pair[side] for pair in sentence_pairs(400, seed=5)]),
        model_writer=model,
        model_type=kind,
        vocab_size=size,
        hard_vocab_limit=False,
        bos_id=-1,
        pad_id=-1,
        eos_id=0,
        unk_id=1,
        minloglevel=2,
        num_threads=1,
    )
    return model.getvalue()


def pieces(model: bytes) -> list[str]:
    """In the order of their ids."""
    processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    return [processor.id_to_piece(i) for i in range(processor.vocab_size())]
