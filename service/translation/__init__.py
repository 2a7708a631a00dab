"""Translation of texts: sentences through one model or two. Knows no HTTP."""
