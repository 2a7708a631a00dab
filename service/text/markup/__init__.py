"""HTML and XML as text with tags: tokenizer, structure, passages."""
