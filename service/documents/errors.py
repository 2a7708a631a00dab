"""What is wrong with a file, in a sentence that can be shown to whoever sent it."""


class DocumentError(ValueError):
    """The file is not what its name says, or of a kind that cannot be translated."""
