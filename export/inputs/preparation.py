"""Prepares an export: checks the model, and encodes the sentences to verify it with."""

from collections.abc import Iterable
from dataclasses import replace

from bundle.tokenizer import Tokenizer
from export.errors import ExportError
from export.inputs.job import ExportJob, TrainedModel
from export.network import Network
from export.options import BundleOptions
from export.sentences.development_set import (
    DevelopmentPair,
    DevelopmentSet,
    ParallelText,
    encode_pairs,
    in_turns,
)
from export.sentences.random_sentences import random_sentences


def prepare(
    model: TrainedModel, texts: Iterable[ParallelText], options: BundleOptions
) -> ExportJob:
    """The export of a model.

    Args:
        model: What is exported.
        texts: Development text, one for every direction; read after the model was checked.
        options: What is made of it.

    Raises:
        ExportError: No bundle can be made of the model, or a text has no sentence that fits.
        ModelError: A text cannot be read.
    """
    _check(model.network, model.tokenizer, options)
    encoded = [_encoded(text, model) for text in texts]
    count = options.verification_sentences
    dev = tuple(replace(each, pairs=each.pairs[:count]) for each in encoded)
    return ExportJob(
        options=options,
        model=model,
        dev=dev,
        verification_sets=dev or random_sentences(model.network, model.tokenizer, model.pairs),
        calibration=tuple(in_turns([_calibration_pairs(each, options) for each in encoded])),
    )


def _check(network: Network, tokenizer: Tokenizer, options: BundleOptions) -> None:
    faults = []
    limits = (
        (options.max_source_tokens, network.max_source_tokens),
        (options.max_target_tokens, network.max_target_tokens),
    )
    too_short = [limit for wanted, limit in limits if wanted is not None and limit < wanted]
    if too_short:
        kind = "trained " if network.architecture.positions == "learned" else ""
        faults.append(
            f"the model has {min(too_short)} {kind}positions: ask for no more tokens than that"
        )
    if tokenizer.vocab_size != network.architecture.vocab_size:
        faults.append(
            f"the tokenizer has {tokenizer.vocab_size} pieces, the model "
            f"{network.architecture.vocab_size}: they are not of the same run"
        )
    if faults:
        raise ExportError("; ".join(faults))


def _encoded(text: ParallelText, model: TrainedModel) -> DevelopmentSet:
    pairs = encode_pairs(
        text.sentences,
        model.tokenizer,
        text.pair,
        max_source=model.network.max_source_tokens,
        max_target=model.network.max_target_tokens,
    )
    if not pairs:
        raise ExportError(f"{text.name}: every sentence is longer than the bundle would take")
    return DevelopmentSet(name=text.name, pair=text.pair, pairs=tuple(pairs))


def _calibration_pairs(dev: DevelopmentSet, options: BundleOptions) -> tuple[DevelopmentPair, ...]:
    """Pairs behind the verified ones, or the last ones where too few are left."""
    count, rest = options.calibration.sentences, dev.pairs[options.verification_sentences :]
    return rest[:count] if len(rest) >= count else dev.pairs[-count:]
