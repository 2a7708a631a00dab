"""`pellucid train`: one TOML in, a run folder out."""

import argparse
import os
import sys
from pathlib import Path

from model.config import read_config
from model.errors import ConfigError, ModelError

# Training allocates and frees large tensors all the time. Without these glibc gives each back to
# the kernel and takes it again in every step.
_MALLOC = {"MALLOC_MMAP_THRESHOLD_": "4294967296", "MALLOC_TRIM_THRESHOLD_": "4294967296"}

_EXAMPLES = """\
examples:
  pellucid train model/configs/en-de-small.toml --data data --out runs/en-de-small
  pellucid train model/configs/en-de-small.toml --data data --out runs/en-de-small --resume
"""


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `train` to the commands of `pellucid`."""
    parser = commands.add_parser(
        "train",
        help="train a model from parallel text",
        description="Train a Transformer from one TOML; stop it at any time and --resume.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("config", type=Path, help="the run's TOML, see model/configs/")
    parser.add_argument("--data", type=Path, required=True, help="folder that its paths start at")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    parser.add_argument(
        "--from",
        dest="start",
        type=Path,
        metavar="CHECKPOINT",
        help="begin with the weights and the vocabulary of another run's averaged.pt",
    )
    parser.add_argument(
        "--decay-minutes",
        type=_positive,
        metavar="N",
        help="let the learning rate fall to zero in N minutes from now, and end",
    )
    parser.add_argument("--threads", type=int, default=None, help="default: every core")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Train; returns the exit code."""
    if any(name not in os.environ for name in _MALLOC):
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, **_MALLOC})
    try:
        _train(arguments)
    except (ModelError, OSError) as error:
        print(f"pellucid train: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("pellucid train: stopped; go on with --resume", file=sys.stderr)
        return 130
    return 0


def _train(arguments: argparse.Namespace) -> None:
    import torch

    from model.checkpoint import CONFIG_NAME, TOKENIZER_NAME
    from model.preparation import prepare
    from model.trainer import Trainer

    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    config, out, is_resumed = read_config(arguments.config), arguments.out, arguments.resume
    _check_run(out, is_resumed=is_resumed)
    if is_resumed and arguments.start:
        raise ConfigError("--from", ["a run that is resumed has its own weights"])
    out.mkdir(parents=True, exist_ok=True)
    text = arguments.config.read_text(encoding="utf-8")
    start = arguments.start
    data = prepare(
        config,
        arguments.data,
        out,
        is_resumed=is_resumed,
        tokenizer_path=start.parent / TOKENIZER_NAME if start else None,
    )
    trainer = Trainer(config, text, data, out)
    if start:
        trainer.begin_from(start)
    if is_resumed:
        trainer.resume()
    if arguments.decay_minutes:
        trainer.decay_within(arguments.decay_minutes)
    (out / CONFIG_NAME).write_text(text, encoding="utf-8")
    progress = trainer.run()
    print(f"{progress.step} steps, {progress.target_tokens} target tokens: {out}")


def _positive(text: str) -> float:
    number = float(text)
    if not number > 0:
        raise argparse.ArgumentTypeError(f"{text} must be > 0")
    return number


def _check_run(out: Path, *, is_resumed: bool) -> None:
    from model.checkpoint import LAST_NAME

    has_run = (out / LAST_NAME).exists()
    if has_run and not is_resumed:
        raise ConfigError("--out", [f"{out} holds a run already: --resume it or name another"])
    if is_resumed and not has_run:
        raise ConfigError("--resume", [f"{out} has no {LAST_NAME}: start without --resume"])
