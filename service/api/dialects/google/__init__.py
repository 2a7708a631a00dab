"""Google's dialects: Cloud Translation version 2, and what web clients call."""
