"""Runs a Marian model with transformers, which the import is compared with."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import transformers

from export.graphs.builder import MASKED_SCORE
from export.verification.original_program import BeamTranslation, GreedyTranslation, Ids
from model.greedy import pad_sources


class TransformersOriginal:
    """`OriginalProgram` of the classes of transformers."""

    def __init__(self, path: Path, *, banned: Sequence[int], is_pre_norm: bool) -> None:
        """Load a checkpoint.

        Args:
            path: Its folder.
            banned: Ids that are never generated. transformers filters them behind the softmax, so
                that the other probabilities do not sum to 1; here their logits are masked.
            is_pre_norm: Norms come before the sub-layers: Marian's class no longer supports that,
                Pegasus' does.
        """
        kind = transformers.PegasusForConditionalGeneration if is_pre_norm else None
        kind = kind or transformers.MarianMTModel
        self._model: Any = kind.from_pretrained(path, local_files_only=True).float().eval()
        self._model.final_logits_bias[:, list(banned)] = MASKED_SCORE
        # The checkpoint's preferences would change the search.
        self._model.generation_config = transformers.GenerationConfig()
        self._config = self._model.config

    @property
    def implementation(self) -> str:
        """See `OriginalProgram`."""
        return f"transformers {transformers.__version__}"

    @torch.inference_mode()
    def greedy(self, sources: Ids, max_tokens: int) -> list[GreedyTranslation]:
        """See `OriginalProgram`."""
        found = self._generate(sources, 1, max_tokens, output_logits=True)
        logits = torch.stack(found.logits, dim=1).numpy()
        rows = self._target_ids(found.sequences)
        return [
            GreedyTranslation(target_ids=ids, logits=logits[i, : len(ids)])
            for i, ids in enumerate(rows)
        ]

    @torch.inference_mode()
    def beam(self, sources: Ids, beam_size: int, max_tokens: int) -> list[BeamTranslation]:
        """See `OriginalProgram`."""
        found = self._generate(
            sources, beam_size, max_tokens, output_scores=True, length_penalty=0.0
        )
        rows = zip(self._target_ids(found.sequences), found.sequences_scores.tolist(), strict=True)
        return [BeamTranslation(target_ids=ids, log_prob=score) for ids, score in rows]

    def _generate(self, sources: Ids, beam_size: int, max_tokens: int, **more: float) -> Any:  # noqa: ANN401
        config = self._config
        source_ids, mask = pad_sources(sources, config.pad_token_id)
        settings = transformers.GenerationConfig(
            decoder_start_token_id=config.decoder_start_token_id,
            eos_token_id=config.eos_token_id,
            pad_token_id=config.pad_token_id,
            num_beams=beam_size,
            max_new_tokens=max_tokens,
            return_dict_in_generate=True,
            **more,
        )
        arguments = {"input_ids": source_ids, "attention_mask": mask.long()}
        return self._model.generate(**arguments, generation_config=settings)

    def _target_ids(self, sequences: torch.Tensor) -> list[tuple[int, ...]]:
        """Ids without the start token, and without the padding behind the end token."""
        end = self._config.eos_token_id
        rows = [row[1:] for row in sequences.tolist()]
        return [tuple(row[: row.index(end) + 1] if end in row else row) for row in rows]
