"""Marian models as Hugging Face's transformers stores them."""
