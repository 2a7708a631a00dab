"""Text processing before and after the model: pure and lossless, without model or tokenizer."""
