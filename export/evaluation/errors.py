"""Errors of an evaluation.

EvaluationError   one line on stderr, exit code 2
"""


class EvaluationError(Exception):
    """Texts, a language pair or a program that cannot be used; the message says what to do."""
