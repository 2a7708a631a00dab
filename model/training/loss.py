"""The losses of training: label-smoothed cross-entropy, and that of guided alignment."""

import torch.nn.functional as F  # noqa: N812 - the name that every reader of torch code expects
from torch import Tensor

from model.data.batching import Batch, BatchLinks
from model.transformer import Transformer

SMALLEST_ATTENTION = 1e-6


def batch_loss(model: Transformer, batch: Batch, *, label_smoothing: float) -> Tensor:
    """Label-smoothed cross-entropy, mean per target token in nats, a float32 scalar."""
    hidden = model.hidden(batch.source_ids, batch.source_mask, batch.input_ids)
    return _translation_loss(model, hidden, batch.label_ids, label_smoothing)


def guided_losses(
    model: Transformer, batch: Batch, links: BatchLinks, *, label_smoothing: float, head: int
) -> tuple[Tensor, Tensor]:
    """The loss of the translation and that of the alignment, both float32 scalars in nats."""
    hidden, attention = model.hidden_and_alignment(
        batch.source_ids, batch.source_mask, batch.input_ids, head=head
    )
    translation = _translation_loss(model, hidden, batch.label_ids, label_smoothing)
    return translation, alignment_loss(attention, links)


def alignment_loss(attention: Tensor, links: BatchLinks) -> Tensor:
    """Cross-entropy of attention [batch, target, source] against the links, mean per label.

    Garg et al. (2019), equation 3: the attention of a label should be uniform over its links;
    labels without a link do not contribute.
    """
    row, target, source = links.places.T
    probability = attention[row, target, source].float().clamp(min=SMALLEST_ATTENTION)
    return -(links.weights * probability.log()).sum()


def _translation_loss(
    model: Transformer, hidden: Tensor, label_ids: Tensor, label_smoothing: float
) -> Tensor:
    """Mean over the labels other than padding.

    Padding is dropped before the projection to the vocabulary, the largest product of the network.
    """
    is_token = label_ids != model.architecture.pad_id
    logits = model.output_projection(hidden[is_token])
    # Sums over thousands of pieces need more than bfloat16's 8 bits.
    return F.cross_entropy(logits.float(), label_ids[is_token], label_smoothing=label_smoothing)
