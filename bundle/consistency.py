"""Finds what a manifest says of a bundle that cannot all be true; opens no other file."""

from collections import Counter

from bundle.manifest import Manifest
from bundle.tensors import KNOWN_WORDS_NAME


def consistency_faults(manifest: Manifest) -> list[str]:
    """Every value that does not fit another one of the same manifest."""
    return [
        *_id_faults(manifest),
        *_pair_faults(manifest),
        *_alignment_faults(manifest),
        *_heads_faults(manifest),
        *_known_words_faults(manifest),
    ]


def _id_faults(manifest: Manifest) -> list[str]:
    vocab_size = manifest.architecture.vocab_size
    ids = manifest.special_ids
    faults = [
        f"special_ids.{name}: {value} is outside the vocabulary of {vocab_size}"
        for name, value in ids.model_dump(exclude={"source_end"}).items()
        if value >= vocab_size
    ]
    source_size = manifest.architecture.source_vocab_size or vocab_size
    faults += [
        f"special_ids.source_end: {value} is outside the source's vocabulary of {source_size}"
        for value in ids.source_end or ()
        if value >= source_size
    ]
    faults += [
        f"canary.target_ids: {value} is outside the vocabulary of {vocab_size}"
        for value in manifest.canary.target_ids
        if value >= vocab_size
    ]
    if manifest.decoding.beam_size > vocab_size:
        faults.append(f"decoding.beam_size: over the vocabulary of {vocab_size}")
    return faults


def _pair_faults(manifest: Manifest) -> list[str]:
    directions = Counter((pair.source, pair.target) for pair in manifest.pairs)
    faults = [
        f"pairs: {source}->{target} is there {count} times"
        for (source, target), count in directions.items()
        if count > 1
    ]
    if manifest.pair(manifest.canary.pair.source, manifest.canary.pair.target) is None:
        faults.append(f"canary: {manifest.canary.pair} is not a pair of this bundle")
    return faults


def _known_words_faults(manifest: Manifest) -> list[str]:
    entries, file = manifest.known_words, manifest.files.get(KNOWN_WORDS_NAME)
    languages = [entry.language for entry in entries]
    faults = [
        f"known_words: {language} is there twice"
        for language in sorted({each for each in languages if languages.count(each) > 1})
    ]
    size_bytes = sum(entry.size_bytes for entry in entries)
    if file is not None and file.size_bytes != size_bytes:
        faults.append(
            f"known_words: {size_bytes} bytes in all, {KNOWN_WORDS_NAME} has {file.size_bytes}"
        )
    return faults


def _alignment_faults(manifest: Manifest) -> list[str]:
    aligned, shape = manifest.alignment_head, manifest.architecture
    if aligned is None:
        return []
    limits = {"layer": shape.num_decoder_layers, "head": shape.num_heads}
    return [
        f"alignment_head.{name}: {value} is not below {limit}"
        for name, limit in limits.items()
        if (value := getattr(aligned, name)) >= limit
    ]


def _heads_faults(manifest: Manifest) -> list[str]:
    shape = manifest.architecture
    found = () if manifest.heads is None else manifest.heads.heads
    return [
        f"heads.heads.{i}: {each.kind} layer {each.layer}, head {each.head} does not exist"
        for i, each in enumerate(found)
        if each.head >= shape.num_heads
        or each.layer
        >= (shape.num_encoder_layers if each.kind == "encoder" else shape.num_decoder_layers)
    ]
