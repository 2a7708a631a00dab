"""Label-smoothed cross-entropy over the positions that are no padding."""

import torch.nn.functional as F  # noqa: N812 - the name that every reader of torch code expects
from torch import Tensor

from model.batching import Batch
from model.transformer import Transformer


def batch_loss(model: Transformer, batch: Batch, *, label_smoothing: float) -> Tensor:
    """Mean loss per target token in nats, a float32 scalar.

    Padding is dropped before the projection to the vocabulary, which is the largest product of
    the network: one dense product over real tokens only.
    """
    hidden = model.hidden(batch.source_ids, batch.source_mask, batch.input_ids)
    is_token = batch.label_ids != model.architecture.pad_id
    logits = model.output_projection(hidden[is_token])
    # Sums over thousands of pieces need more than bfloat16's 8 bits.
    return F.cross_entropy(
        logits.float(), batch.label_ids[is_token], label_smoothing=label_smoothing
    )
