"""`pellucid translate --ray`: a corpus with all machines of a cluster."""

import argparse
import sys
from pathlib import Path

from service.commands.line_request import line_request
from service.commands.local import local_settings
from service.errors import StartupError


def run_corpus(arguments: argparse.Namespace) -> int:
    """Translate the files line by line to standard output; returns the exit code.

    Raises:
        StartupError: A setting is no good, Ray is not installed, or there are no files.
        ServiceError: A line could not be translated; those before it are written.
    """
    if not arguments.files:
        raise StartupError("give --ray files: other machines cannot read this one's standard input")
    try:
        from service.ray_corpus import translate_corpus
    except ModuleNotFoundError as error:
        raise StartupError(f"--ray needs {error.name}: pip install 'pellucid[ray]'") from error
    from tqdm import tqdm

    from service.cluster.corpus import CorpusWork

    files: list[Path] = [path.resolve() for path in arguments.files]
    settings = local_settings(arguments)
    work = CorpusWork(request=line_request(arguments), prefix=arguments.prefix)
    with tqdm(unit=" lines", file=sys.stderr, disable=None) as progress:
        for lines in translate_corpus(files, settings, work):
            sys.stdout.buffer.write(lines)
            sys.stdout.buffer.flush()
            progress.update(lines.count(b"\n"))
    return 0
