"""Errors of files; their messages are shown to the client."""


class DocumentError(ValueError):
    """The file is not supported, not what its name says, or beyond the limits of its process."""


class DocumentProcessError(Exception):
    """The process that reads files failed, not the file."""
