"""What happens to the text around the model: pure, lossless, knows no model and no tokenizer."""
