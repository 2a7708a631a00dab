"""Which hypotheses live: options, logits processors, greedy and beam search, ranking."""
