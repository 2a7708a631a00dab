"""What each idea for training gives on an equal budget, by the loss on held-out text.

Every idea is a short run on one sample of the data, from the same weights. Loss per token varies
far less between seeds than BLEU does; a repeat with another seed shows by how much. Finished ideas
are kept in the folder of the output, and an interrupted one resumes.
"""

import argparse
import json
import os
import random
import shlex
import sys
import time
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path

import torch
from sentencepiece import SentencePieceProcessor

from benchmarks.harness.machine import commit, machine, versions
from benchmarks.quality.by_set import read_sets
from benchmarks.quality.training.idea_outcome import Losses, Outcome, mean_loss, read_outcome, table
from benchmarks.quality.training.idea_plan import (
    DEV_NAME,
    NEVER_NAME,
    SAMPLE_NAME,
    Idea,
    Plan,
    as_toml,
    config_of,
    read_plan,
)
from model.cli import MALLOC
from model.config import RunConfig
from model.data.corpus import SentencePair, read_pairs
from model.data.held_out import write_pairs
from model.data.tokenizer import load_tokenizer
from model.directions import Direction
from model.training.checkpoint import (
    AVERAGED_NAME,
    CONFIG_NAME,
    LAST_NAME,
    TOKENIZER_NAME,
    load_checkpoint,
)
from model.training.preparation import COUNTS_NAME, prepare
from model.training.trainer import Trainer
from model.training.training_data import TrainingData
from model.training.validation import loss_per_token
from model.transformer import Transformer

SEED = 24
REST_NAME = "rest.tsv"
RESULT_NAME = "result.json"
START = "before"
MAX_CHARACTERS = 300
"""Longer pairs are not measured: none is over the limit of tokens, whatever the vocabulary."""


def main() -> int:
    """Run what is missing and print the table; return the exit code."""
    arguments = _parse()
    if any(name not in os.environ for name in MALLOC):
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, **MALLOC})
    torch.set_num_threads(1)
    outcomes = list(_outcomes(arguments))
    if arguments.json:
        _write_json(arguments, outcomes)
    print("\n".join(table(outcomes)))
    return 0


def _outcomes(arguments: argparse.Namespace) -> Iterator[Outcome]:
    plan = read_plan(arguments.plan)
    base = tomllib.loads(arguments.base.read_text(encoding="utf-8"))
    data = arguments.out / "data"
    if not (data / SAMPLE_NAME).exists():
        _sample(RunConfig.model_validate(base), plan.share, arguments.data, arguments.sets, data)
    sets = _short_enough(read_sets(arguments.sets, arguments.limit))
    yield _outcome_of_start(arguments, sets)
    for idea in plan.ideas:
        missing = [name for name in idea.added if not (data / name).exists()]
        if missing:
            print(f"{idea.name}: not run without {', '.join(missing)} in {data}", flush=True)
        elif not arguments.only or idea.name in arguments.only:
            yield _outcome(arguments, plan, base, idea, sets)


def _sample(config: RunConfig, share: float, data: Path, sets: Sequence[Path], out: Path) -> None:
    """Write a sample of the training pairs, the other pairs, and those to measure with."""
    out.mkdir(parents=True, exist_ok=True)
    sampled: list[SentencePair] = []
    rest: list[SentencePair] = []
    for file in config.data.train:
        rng = random.Random(f"{SEED} {file}")
        for pair in read_pairs(file, data)[0]:
            (sampled if rng.random() < share else rest).append(pair)
    never = [p for file in config.data.held_out for p in read_pairs(file, data)[0]]
    never += [p for path in sets for p in read_pairs(path.name, path.parent)[0]]
    write_pairs(out / NEVER_NAME, never)
    write_pairs(out / DEV_NAME, read_pairs(config.data.dev, data)[0])
    write_pairs(out / REST_NAME, rest)
    write_pairs(out / SAMPLE_NAME, sampled)  # last: if it exists, the others are complete


def _short_enough(sets: Mapping[str, list[SentencePair]]) -> dict[str, list[SentencePair]]:
    return {
        name: [p for p in pairs if max(len(p.source), len(p.target)) <= MAX_CHARACTERS]
        for name, pairs in sets.items()
    }


def _outcome_of_start(
    arguments: argparse.Namespace, sets: Mapping[str, list[SentencePair]]
) -> Outcome:
    """The losses of the weights that the runs begin from."""
    folder = arguments.out / START
    if (folder / RESULT_NAME).exists():
        return read_outcome(folder / RESULT_NAME)
    start = load_checkpoint(arguments.start)
    tokenizer = load_tokenizer(start.tokenizer_path)
    per_token, per_character = losses(start.model, tokenizer, sets, start.config.data.directions)
    outcome = Outcome(
        name=START,
        baseline="baseline",
        steps=0,
        target_tokens=0,
        cpu_minutes=0.0,
        per_token=per_token,
        per_character=per_character,
    )
    return _kept(folder, outcome)


def _outcome(
    arguments: argparse.Namespace,
    plan: Plan,
    base: Mapping[str, object],
    idea: Idea,
    sets: Mapping[str, list[SentencePair]],
) -> Outcome:
    """Train with an idea and measure, unless that was done before."""
    folder = arguments.out / idea.slug
    if (folder / RESULT_NAME).exists():
        return read_outcome(folder / RESULT_NAME)
    folder.mkdir(parents=True, exist_ok=True)
    config, start = config_of(base, plan, idea), None if idea.is_random else arguments.start
    trainer = _trainer(config, _prepared(config, arguments.out, start), folder, start)
    progress = trainer.run()
    trained = load_checkpoint(folder / AVERAGED_NAME)
    per_token, per_character = losses(
        trained.model, load_tokenizer(trained.tokenizer_path), sets, config.data.directions
    )
    outcome = Outcome(
        name=idea.name,
        baseline=idea.baseline,
        steps=progress.step,
        target_tokens=progress.target_tokens,
        cpu_minutes=round(progress.seconds / 60, 2),
        per_token=per_token,
        per_character=per_character,
    )
    (folder / LAST_NAME).unlink()  # with its optimiser three times the size of the weights
    return _kept(folder, outcome)


def _prepared(config: RunConfig, out: Path, start: Path | None) -> TrainingData:
    """The data of `config`, prepared once for all ideas that do not change it.

    It does not depend on the seed of a run, which draws batches and initial weights alone.
    """
    settings = config.model_dump_json(include={"data", "tokenizer", "augmentation"})
    folder = out / f"corpus-{sha256(f'{settings} {start}'.encode()).hexdigest()[:12]}"
    folder.mkdir(exist_ok=True)
    training = config.training.model_copy(update={"seed": SEED})
    return prepare(
        config.model_copy(update={"training": training}),
        out / "data",
        folder,
        is_resumed=(folder / COUNTS_NAME).exists(),
        start=start,
    )


def _trainer(config: RunConfig, data: TrainingData, folder: Path, start: Path | None) -> Trainer:
    """A trainer that counts CPU time, at the beginning of the run or where it was interrupted."""
    text = as_toml(config)
    (folder / CONFIG_NAME).write_text(text, encoding="utf-8")
    (folder / TOKENIZER_NAME).write_bytes(data.tokenizer.serialized_model_proto())
    trainer = Trainer(config, text, data, folder, clock=time.process_time)
    if (folder / LAST_NAME).exists():
        trainer.resume()
    elif start is not None:
        trainer.begin_from(start)
    return trainer


def losses(
    model: Transformer,
    tokenizer: SentencePieceProcessor,
    sets: Mapping[str, Sequence[SentencePair]],
    directions: Sequence[Direction],
) -> tuple[Losses, Losses]:
    """Losses per target token and per target character, in nats, by set and direction."""
    per_token: Losses = {}
    per_character: Losses = {}
    longest = model.architecture.max_positions
    for name, pairs in sets.items():
        for direction in directions:
            directed = [p.towards(direction) for p in pairs]
            loss = loss_per_token(model, tokenizer, directed, longest)
            targets = tokenizer.encode([p.target for p in directed], add_eos=True)
            total = loss * sum(map(len, targets)) / sum(len(p.target) for p in directed)
            per_token.setdefault(name, {})[str(direction)] = round(loss, 4)
            per_character.setdefault(name, {})[str(direction)] = round(total, 5)
    return per_token, per_character


def _kept(folder: Path, outcome: Outcome) -> Outcome:
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(asdict(outcome) | {"load": os.getloadavg()[0]}, indent=1)
    (folder / RESULT_NAME).write_text(text, encoding="utf-8")
    print(f"{outcome.name}: {mean_loss(outcome.per_token):.4f} nats a token", flush=True)
    return outcome


def _write_json(arguments: argparse.Namespace, outcomes: Sequence[Outcome]) -> None:
    result = {
        "machine": machine(),
        "versions": versions("torch", "numpy", "sentencepiece"),
        "commit": commit(),
        "command": shlex.join(["python", "-m", "benchmarks.quality.training.ideas", *sys.argv[1:]]),
        "outcomes": [asdict(outcome) for outcome in outcomes],
    }
    arguments.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.quality.training.ideas", description=__doc__
    )
    here = Path("benchmarks/quality/training/ideas.toml")
    parser.add_argument("--plan", type=Path, default=here, help="TOML of the ideas")
    base = Path("model/configs/en-de-sixth.toml")
    parser.add_argument("--base", type=Path, default=base, help="TOML of the run that they change")
    parser.add_argument("--data", type=Path, required=True, help="folder of that run's data")
    parser.add_argument("--from", dest="start", type=Path, required=True, help="averaged.pt")
    parser.add_argument("--sets", type=Path, nargs="+", required=True, help="held-out pairs")
    parser.add_argument("--limit", type=int, default=300, help="maximum pairs of a set")
    parser.add_argument("--only", nargs="+", help="names of ideas; default: all")
    parser.add_argument("--output", "--out", dest="out", type=Path, required=True)
    parser.add_argument("--json", type=Path, help="file for the figures")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
