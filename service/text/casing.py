"""Sentences in capitals or title case, put into ordinary case for the model and back."""

from typing import Literal

Case = Literal["as_is", "capitals", "title"]
