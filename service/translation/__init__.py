"""Text in, text out: sentences through one model or two. Knows no HTTP."""
