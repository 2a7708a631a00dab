"""`pellucid train`: one TOML in, a run folder out."""

import argparse
import os
import sys
from pathlib import Path

from model.config import read_config
from model.errors import ConfigError, ModelError

# Training allocates and frees large tensors all the time. Without these glibc gives each back to
# the kernel and takes it again, which costs a fifth of the speed (docs/training.md).
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
    parser.add_argument("--threads", type=int, default=None, help="default: every core")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Train; returns the exit code."""
    if any(name not in os.environ for name in _MALLOC):
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, **_MALLOC})
    try:
        _train(arguments)
    except ModelError as error:
        print(f"pellucid train: {error}", file=sys.stderr)
        return 2
    return 0


def _train(arguments: argparse.Namespace) -> None:
    import torch

    from model.checkpoint import CONFIG_NAME, LAST_NAME
    from model.preparation import prepare
    from model.trainer import Trainer

    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    config, out = read_config(arguments.config), arguments.out
    if (out / LAST_NAME).exists() and not arguments.resume:
        raise ConfigError("--out", [f"{out} holds a run already: --resume it or name another"])
    out.mkdir(parents=True, exist_ok=True)
    text = arguments.config.read_text(encoding="utf-8")
    (out / CONFIG_NAME).write_text(text, encoding="utf-8")
    trainer = Trainer(config, text, prepare(config, arguments.data, out), out)
    if arguments.resume:
        trainer.resume()
    progress = trainer.run()
    print(f"{progress.step} steps, {progress.target_tokens} target tokens: {out}")
