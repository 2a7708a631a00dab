"""Outputs of the original program for a model with random weights: how they were recorded.

`python -m tests.export.importers.marian.original_outputs NODE_MODULES` translates the texts with
Marian itself and writes `tests/data/marian/`; see `bergamot.cjs` for what it takes. Tests compare
with the recorded outputs and need no Node.
"""

import hashlib
import io
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import sentencepiece

from tests.data.toy_language import sentence_pairs
from tests.export.importers.marian.binary_models import float_item, marian_binary, text_item
from tests.export.importers.marian.marian_models import CONFIG_NAME, model_arrays, save_arrays

FOLDER = Path(__file__).parents[3] / "data" / "marian"
VOCABULARY = FOLDER / "vocab.spm"
OUTPUTS = FOLDER / "outputs.json"
NUM_TEXTS = 60
MAX_PIECES = 100
"""The original splits sentences of 128."""
PRECISION = "float32"
OPTIONS: dict[str, Any] = {
    "tied_embeddings": False,
    "tied_embeddings_all": False,
    "tied_embeddings_src": False,
    "transformer_pool": False,
    "skip": False,
    "layer_normalization": False,
    "right_left": False,
    "input_types": [],
    "ulr": False,
    "ulr_dim_emb": 0,
    "ulr_trainable_transformation": False,
    "bert_train_type_embeddings": True,
    "bert_type_vocab_size": 2,
    "output_omit_bias": False,
    "enc_type": "bidirectional",
    "enc_cell": "gru",
    "enc_cell_depth": 1,
    "dec_cell": "gru",
    "dec_cell_base_depth": 2,
    "dec_cell_high_depth": 1,
    "dim_rnn": 1024,
    "transformer_dim_aan": 2048,
    "transformer_aan_depth": 2,
    "transformer_aan_activation": "swish",
    "transformer_aan_nogate": False,
}
"""What Marian itself asks for besides what the importer reads."""
SEED = 2


def arrays() -> dict[str, Any]:
    """The model's arrays, always the same."""
    size = sentencepiece.SentencePieceProcessor(model_file=str(VOCABULARY)).vocab_size()
    found = model_arrays(
        (size, size),
        tying="none",
        end_bias=END_BIAS,
        seed=SEED,
        dim_vocabs=[size, size],
        **OPTIONS,
    )
    for name, values in found.items():
        if name != CONFIG_NAME:
            values *= np.float32(_gain(name))
    found["decoder_ff_logit_out_b"][0, 0] = END_BIAS
    return found


def _gain(name: str) -> float:
    """Small constants and sharp attention, so that outputs vary with texts and positions."""
    if name.endswith(("_Wq", "_Wk")):
        return ATTENTION_GAIN
    is_constant = re.search(r"_b.?$|_ln_bias|_out_b$", name)
    return 0.1 if is_constant else 1.0


ATTENTION_GAIN = 1.5
END_BIAS = 2.0
"""Most translations then end by themselves within twice their source, where Marian cuts them."""


def save_model(folder: Path) -> Path:
    """The model as `model.npz`, and its vocabulary."""
    folder.mkdir(parents=True)
    save_arrays(folder / "model.npz", arrays())
    (folder / "vocab.spm").write_bytes(VOCABULARY.read_bytes())
    return folder


def digest() -> str:
    """Of the arrays, which another NumPy could draw differently."""
    content = hashlib.sha256()
    for name, values in sorted(arrays().items()):
        content.update(name.encode() + np.ascontiguousarray(values).tobytes())
    return content.hexdigest()


def _texts() -> list[str]:
    """Texts of one to many clauses without stops, at which the original would split them."""
    clauses = [source.rstrip(".!?") for source, _ in sentence_pairs(9 * NUM_TEXTS, seed=11)]
    cut = sentencepiece.SentencePieceProcessor(model_file=str(VOCABULARY))
    texts = [" ".join(clauses[3 * i : 3 * i + 1 + i % 3]) for i in range(3 * NUM_TEXTS)]
    return [text for text in texts if len(cut.encode(text)) <= MAX_PIECES][:NUM_TEXTS]


def _vocabulary() -> bytes:
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([text for pair in sentence_pairs(400, seed=5) for text in pair]),
        model_writer=model,
        vocab_size=160,
        hard_vocab_limit=False,
        normalization_rule_name="identity",  # its rules would be most of the file
        bos_id=-1,
        pad_id=-1,
        eos_id=0,
        unk_id=1,
        minloglevel=2,
        num_threads=1,
    )
    return model.getvalue()


def _translated(texts: list[str], node_modules: str) -> list[str]:
    items = [
        text_item(name, bytes(values).decode().rstrip("\0"))
        if name == CONFIG_NAME
        else float_item(name, values)
        for name, values in arrays().items()
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.bin"
        path.write_bytes(marian_binary(items))
        script = str(Path(__file__).with_name("bergamot.cjs"))
        command = ["node", script, node_modules, str(path), str(VOCABULARY), PRECISION]
        found = subprocess.run(
            command, input="\n".join(texts), capture_output=True, text=True, check=True
        )
    return found.stdout.removesuffix("\n").split("\n")


def main(node_modules: str) -> None:
    """Record the outputs."""
    FOLDER.mkdir(exist_ok=True)
    if not VOCABULARY.exists():
        VOCABULARY.write_bytes(_vocabulary())
    texts = _texts()
    record = {
        "program": "npm @browsermt/bergamot-translator 0.4.9, float32",
        "command": "python -m tests.export.importers.marian.original_outputs NODE_MODULES",
        "arrays_sha256": digest(),
        "translations": dict(zip(texts, _translated(texts, node_modules), strict=True)),
    }
    text = json.dumps(record, ensure_ascii=False, indent=1)
    OUTPUTS.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
