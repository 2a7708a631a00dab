"""A network in torch as the reference: our own model, or one with the same arrays."""

from collections.abc import Sequence

import torch
from torch import Tensor

from export.verification.reference_network import Float, Ids, TeacherForced
from model.greedy import greedy_translate, pad_sources
from model.transformer import DecoderLayer, Transformer

GREEDY_BATCH = 50


class TorchReference:
    """`ReferenceNetwork` of a torch model in fp32, in evaluation mode."""

    def __init__(self, model: Transformer) -> None:
        self._model = model

    @torch.inference_mode()
    def memory(self, sources: Ids) -> list[tuple[Float, Float]]:
        """See `ReferenceNetwork`."""
        ids, mask = self._padded(sources)
        memory = self._model.encode(ids, mask)
        pairs = []
        for layer in self._model.decoder.layers:
            assert isinstance(layer, DecoderLayer)
            key, value = layer.cross_attention.keys_and_values(memory)
            pairs.append((key.numpy(), value.numpy()))
        return pairs

    @torch.inference_mode()
    def teacher_forced(
        self, sources: Ids, targets: Ids, *, is_cached: bool = False
    ) -> TeacherForced:
        """See `ReferenceNetwork`."""
        ids, mask = self._padded(sources)
        start = self._model.architecture.bos_id
        inputs, _ = self._padded([[start, *target[:-1]] for target in targets])
        maps = self._model.attention_maps(ids, mask, inputs, is_cached=is_cached)
        return TeacherForced(
            encoder=maps.encoder.numpy(),
            decoder=maps.decoder.numpy(),
            cross=maps.cross.numpy(),
            logits=maps.logits.numpy(),
        )

    def greedy(self, sources: Ids, max_tokens: int) -> list[list[int]]:
        """See `ReferenceNetwork`."""
        order = sorted(range(len(sources)), key=lambda i: len(sources[i]))
        results: dict[int, list[int]] = {}
        for start in range(0, len(order), GREEDY_BATCH):
            group = order[start : start + GREEDY_BATCH]
            ids = greedy_translate(self._model, [sources[i] for i in group], max_tokens=max_tokens)
            results.update(zip(group, ids, strict=True))
        return [results[i] for i in range(len(sources))]

    def _padded(self, rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
        return pad_sources(rows, self._model.architecture.pad_id)
