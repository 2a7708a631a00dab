"""Errors of files; their messages are shown to the client."""


class DocumentError(ValueError):
    """The format of a file is not supported, or its content does not match its name."""
