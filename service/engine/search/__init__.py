"""Search: options, logits processors, greedy and beam search, ranking. Knows no session."""
