"""The loss of training: label-smoothed cross-entropy."""

import torch.nn.functional as F  # noqa: N812 - the name that every reader of torch code expects
from torch import Tensor

from model.data.batching import Batch
from model.transformer import Transformer


def batch_loss(model: Transformer, batch: Batch, *, label_smoothing: float) -> Tensor:
    """Label-smoothed cross-entropy, mean per target token in nats, a float32 scalar."""
    hidden = model.hidden(batch.source_ids, batch.source_mask, batch.input_ids)
    # Padding is dropped before the largest product of the network, that to the vocabulary.
    is_token = batch.label_ids != model.architecture.pad_id
    logits = model.output_projection(hidden[is_token])
    # Sums over thousands of pieces need more than bfloat16's 8 bits.
    return F.cross_entropy(
        logits.float(), batch.label_ids[is_token], label_smoothing=label_smoothing
    )
