"""`pellucid train`: one TOML in, a run folder out."""

import argparse
import contextlib
import io
import math
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from model.config import RunConfig, read_config
from model.errors import ConfigError, ModelError

if TYPE_CHECKING:
    from model.training.processes import Processes
    from model.training.training_data import TrainingData

# Training allocates and frees large tensors all the time. By default glibc returns each to the
# kernel and requests it again in every step.
MALLOC = {"MALLOC_MMAP_THRESHOLD_": "4294967296", "MALLOC_TRIM_THRESHOLD_": "4294967296"}

_EXAMPLES = """\
examples:
  pellucid train model/configs/en-de-small.toml --data data --output runs/en-de-small
  pellucid train model/configs/en-de-small.toml --data data --output runs/en-de-small --resume
  torchrun --standalone --nproc-per-node 2 -m model train big.toml --data data --output runs/big
"""


def register(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `train` to the commands of `pellucid`."""
    parser = commands.add_parser(
        "train",
        help="train a model from parallel text",
        description="Train a Transformer as a TOML file says; stop at any time, --resume goes on.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("config", type=Path, help="the run's TOML file, see model/configs/")
    parser.add_argument(
        "--data", type=Path, required=True, help="folder that the paths in it start from"
    )
    parser.add_argument("--output", "--out", type=Path, required=True, help="folder of the run")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    parser.add_argument(
        "--from",
        dest="start",
        type=Path,
        metavar="CHECKPOINT",
        help="begin with the weights and the vocabulary of another run's averaged.pt; they also "
        "score the sources that have a keep_best",
    )
    parser.add_argument(
        "--decay-minutes",
        type=_positive,
        metavar="N",
        help="let the learning rate fall to zero in N minutes from now, and end",
    )
    parser.add_argument("--threads", type=_count, metavar="N", help="default: every core")
    parser.add_argument(
        "--device", choices=("cpu", "cuda"), help="default: the accelerator if there is one"
    )
    parser.add_argument(
        "--tensorboard", action="store_true", help="write the curve for TensorBoard as well"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Train; returns the exit code."""
    if any(name not in os.environ for name in MALLOC):
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, **MALLOC})
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

    from model.training.monitoring.tensorboard import check_installed
    from model.training.processes import joined_processes

    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    if arguments.tensorboard:
        check_installed()
    if arguments.resume and arguments.start:
        raise ConfigError(
            "--from", ["a resumed run has its own weights: leave out either --from or --resume"]
        )
    _check_run(arguments.output, is_resumed=arguments.resume)
    with joined_processes(arguments.device) as processes:
        if processes.is_first:
            _run(arguments, processes)
        else:  # only the first process prints
            with contextlib.redirect_stdout(io.StringIO()):
                _run(arguments, processes)


def _run(arguments: argparse.Namespace, processes: "Processes") -> None:
    from model.training.checkpoint import CONFIG_NAME
    from model.training.optimization.bfloat16 import is_emulated
    from model.training.trainer import Trainer

    config, out = read_config(arguments.config), arguments.output
    processes.check_shares(config.training.batches_per_update)
    if config.training.precision == "bf16" and is_emulated(processes.device):
        print(
            'this CPU emulates bfloat16: training.precision = "fp32" is faster than "bf16"; '
            "it may be changed when a run resumes"
        )
    text = arguments.config.read_text(encoding="utf-8")
    data = _prepare(arguments, config, processes)
    trainer = Trainer(config, text, data, out, processes=processes, has_board=arguments.tensorboard)
    if arguments.start:
        trainer.begin_from(arguments.start)
    if arguments.resume:
        trainer.resume()
    if arguments.decay_minutes:
        trainer.decay_within(arguments.decay_minutes)
    if processes.is_first:
        (out / CONFIG_NAME).write_text(text, encoding="utf-8")
    progress = trainer.run()
    print(f"{progress.step} steps, {progress.target_tokens} target tokens: {out}")


def _prepare(
    arguments: argparse.Namespace, config: RunConfig, processes: "Processes"
) -> "TrainingData":
    """Prepare the data in the first process; the others read it from the folder afterwards."""
    from model.training.preparation import check_start, prepare

    if not processes.is_first:
        processes.wait()
        return prepare(config, arguments.data, arguments.output, is_resumed=True)
    if arguments.start is not None:
        check_start(config, arguments.start)
    arguments.output.mkdir(parents=True, exist_ok=True)
    data = prepare(
        config,
        arguments.data,
        arguments.output,
        is_resumed=arguments.resume,
        start=arguments.start,
    )
    processes.wait()
    return data


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return number


def _positive(text: str) -> float:
    number = float(text)
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not a finite number over 0")
    return number


def _check_run(out: Path, *, is_resumed: bool) -> None:
    from model.training.checkpoint import LAST_NAME

    has_run = (out / LAST_NAME).exists()
    if has_run and not is_resumed:
        raise ConfigError("--output", [f"{out} holds a run already: --resume it or name another"])
    if is_resumed and not has_run:
        raise ConfigError("--resume", [f"{out} has no {LAST_NAME}: start without --resume"])
