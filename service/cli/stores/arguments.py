"""Types of arguments that several commands have."""

import argparse


def stored_name(given: str) -> str:
    """A name that a store can keep: bytes that are not UTF-8 reach a command as surrogates."""
    try:
        given.encode()
    except UnicodeEncodeError:
        raise argparse.ArgumentTypeError(
            f"{given!a} is not UTF-8: write it in a terminal or file of that encoding"
        ) from None
    return given
