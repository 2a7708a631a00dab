"""Writes the model card: the content of a manifest as a page."""

from bundle.manifest import Doubt, DoubtCalibration, Manifest, Shortlist
from bundle.parity import OriginalParity
from bundle.provenance import Lineage

FIDELITY_HEADING = "## Fidelity of the export"


def model_card(manifest: Manifest) -> str:
    """Markdown for `MODEL_CARD.md`."""
    origin = manifest.provenance
    language = "" if origin.foreign else "toml"
    sections = [
        f"# {manifest.name}\n\n{_summary(manifest)}",
        f"## Training\n\n{_foreign(manifest) if origin.foreign else _training(manifest)}",
        f"## Data\n\n{_data(manifest)}",
        f"## Quality\n\n{quality_section(manifest)}",
        *([doubt_section(manifest.doubt)] if manifest.doubt else []),
        f"{FIDELITY_HEADING}\n\n{_parity(manifest)}",
        f"## Configuration\n\n```{language}\n{origin.training_config.strip()}\n```",
    ]
    return "\n\n".join(sections) + "\n"


def _summary(manifest: Manifest) -> str:
    shape = manifest.architecture
    pairs = ", ".join(map(str, manifest.pairs))
    invariant = "does not depend" if manifest.batch_invariant else "depends"
    return (
        f"A Transformer for {pairs}: {shape.num_encoder_layers} encoder and "
        f"{shape.num_decoder_layers} decoder layers, width {shape.d_model}, "
        f"{shape.num_heads} heads, vocabulary {shape.vocab_size}, "
        f"{shape.num_parameters / 1e6:.2f} million parameters, {manifest.precision}. A sentence's "
        f"translation {invariant} on its batch. Up to {manifest.max_source_tokens} source and "
        f"{manifest.max_target_tokens} target tokens a sentence."
        f"{_parts(manifest)}{_skills(manifest)}"
    )


def _parts(manifest: Manifest) -> str:
    """A sentence about attention from plain operators, where the fused one is not used."""
    shape = manifest.architecture
    if shape.attention_operator == "fused":
        return ""
    score = shape.attention_score.replace("_", " ")
    return (
        f" Attention ({score} scores, {shape.positions} positions, heads of {shape.head_dim}) is "
        "computed by plain operators, slower than by the fused one, which does not know it."
    )


def _skills(manifest: Manifest) -> str:
    """Sentences about what it was trained for besides translating."""
    symbols, aligned = manifest.placeholders, manifest.alignment_head
    copies = f" It copies {', '.join(symbols)}, which stand in for what must not be translated."
    aligns = (
        f" Head {aligned.head} of decoder layer {aligned.layer} aligns words." if aligned else ""
    )
    return f"{copies if symbols else ''}{aligns}"


def _training(manifest: Manifest) -> str:
    origin, lineage = manifest.provenance, manifest.lineage
    steps, tokens = origin.training_steps, origin.training_target_tokens
    minutes, stages = origin.training_minutes, ""
    if lineage is not None and len(lineage.stages) > 1:
        steps, tokens, minutes = lineage.steps, lineage.target_tokens, lineage.minutes
        stages = f"\n\n{_stages(lineage)}"
    return (
        f"{steps:,} steps over {tokens:,} target tokens in {minutes:.0f} minutes; exported "
        f"{origin.created} at commit `{origin.commit}`.{stages}"
    )


def _stages(lineage: Lineage) -> str:
    """Table of the stages, and what the weights are the mean of."""
    rows = [
        f"| {s.name} | {_beginning(s.began_from)} | {s.steps:,} | {s.target_tokens:,} "
        f"| {s.minutes:.0f} |"
        for s in lineage.stages
    ]
    head = ["| stage | began from | steps | target tokens | minutes |", "|---" * 5 + "|"]
    mean = f"The weights are the mean of {', '.join(lineage.mean_of)}."
    return "\n".join([*head, *rows, *(["", mean] if len(lineage.mean_of) > 1 else [])])


def _beginning(names: tuple[str, ...] | None) -> str:
    if names is None:
        return "not recorded"
    return " + ".join(names) or "random weights"


def _foreign(manifest: Manifest) -> str:
    """Origin of a checkpoint that another program trained."""
    origin, foreign = manifest.provenance, manifest.provenance.foreign
    assert foreign is not None
    files = "\n".join(f"- `{name}`, sha256 `{sha256}`" for name, sha256 in foreign.files.items())
    return (
        f"Not trained here: imported from the {foreign.kind} checkpoint {foreign.name}, "
        f"{origin.created}, at commit `{origin.commit}`. It was read from\n\n{files}"
    )


def _data(manifest: Manifest) -> str:
    foreign = manifest.provenance.foreign
    if foreign is not None and foreign.licence:
        return (
            f"Its publisher gives the weights under {foreign.licence}. The checkpoint does not say "
            "what it was trained on."
        )
    if not manifest.provenance.data:
        return (
            "The checkpoint does not say what it was trained on and under which licence: ask those "
            "who published it."
        )
    rows = [f"| {d.name} | {d.pairs:,} | {d.licence} |" for d in manifest.provenance.data]
    return "\n".join(["| source | pairs | licence |", "|---|---|---|", *rows])


def quality_section(manifest: Manifest) -> str:
    """Markdown of what was measured at export."""
    shortlist = f"\n\n{_shortlist(manifest.shortlist)}" if manifest.shortlist else ""
    if not manifest.quality:
        return f"Not measured: no development set was given.{shortlist}"
    rows = [
        f"| {q.dataset} | {q.pair} | {q.precision}{' with shortlist' if q.with_shortlist else ''} "
        f"| {q.beam_size} | {q.sentences} | {q.bleu:.2f} "
        f"| {q.chrf:.2f} | {q.changed_against_fp32:.1%} | {q.max_logit_error:.3f} |"
        for q in manifest.quality
    ]
    head = (
        "| set | pair | precision | beam | sentences | BLEU | chrF | changed against fp32 "
        "| largest logit error |"
    )
    signatures = {q.bleu_signature for q in manifest.quality}
    signatures |= {q.chrf_signature for q in manifest.quality}
    notes = "\n".join(f"- `{signature}`" for signature in sorted(signatures))
    table = "\n".join([head, "|---" * 9 + "|", *rows, "", notes])
    return f"{table}{shortlist}"


def doubt_section(doubt: Doubt) -> str:
    """Markdown, with its heading, of how confidence was calibrated."""
    formula = (
        f"Confidence in a sentence is the logistic function of {doubt.bias} + "
        f"{doubt.mean_weight} mean + {doubt.total_weight} total, of the log-probabilities of its "
        f"tokens in nats. A sentence below {doubt.low_confidence:g} is doubtful, and so is a word "
        f"below a log-probability of {doubt.low_word}."
    )
    calibration = doubt.calibration
    parts = [formula, *([_reliability(calibration)] if calibration else [])]
    return "\n\n".join(["## Doubt", *parts])


def _reliability(found: DoubtCalibration) -> str:
    """What confidence was calibrated on, and a table of how often it is right."""
    rows = [f"| {b.sentences:,} | {b.confidence:.3f} | {b.accepted:.3f} |" for b in found.bins]
    table = ["| sentences | mean confidence | accepted |", "|---" * 3 + "|", *rows]
    return (
        f"Calibrated on {found.sentences:,} translations of {found.dataset} with a beam of "
        f"{found.beam_size}. One counts as accepted if (1 - chrF / 100) times the square root of "
        f"the characters of the reference is at most {found.max_deviation:g}. Area under the curve "
        f"{found.area_under_curve:.3f}; {found.doubtful_words:.1%} of the words in accepted "
        f"sentences are doubtful, {found.doubtful_words_elsewhere:.1%} of those in others. "
        "Confidence below is cross-validated.\n\n" + "\n".join(table)
    )


def _shortlist(shortlist: Shortlist) -> str:
    gains = ", ".join(f"{s.ratio:.2f} at {s.rows} rows" for s in shortlist.speedups)
    speed = f" Speed without scores against the whole vocabulary: {gains}." if gains else ""
    origin = (
        f"learnt from {shortlist.num_pairs:,} sentence pairs"
        if shortlist.num_pairs
        else "by the lexicon that came with the model"
    )
    needs = "" if shortlist.is_ranked else ", or that suggest more,"
    return (
        f"Greedy search chooses from {shortlist.num_common} common target pieces and "
        f"{shortlist.num_own} that the source suggests, {origin}; sources of over "
        f"{shortlist.max_source_tokens} tokens{needs} have the whole vocabulary.{speed}"
    )


def _original(found: OriginalParity | None) -> str:
    if found is None:
        return ""
    return (
        f" Against {found.implementation}, over {found.sentences} sentences: "
        f"{found.identical_sentences} identical greedy translations, with a beam of "
        f"{found.beam_size} {found.identical_beams} of {found.beams}; largest difference of a "
        f"logit {found.max_logit_error:.1e}, of a beam's score {found.max_score_error:.1e}."
    )


def _parity(manifest: Manifest) -> str:
    parity, activations = manifest.parity, manifest.quantization
    quantized = (
        f" In int8, {len(activations.static_tensors)} activations have a calibrated constant "
        f"scale and {len(activations.per_row_tensors)} a scale per row."
    )
    if activations.noise_ratios:
        quantized += (
            f" A constant scale makes at most {max(activations.noise_ratios.values()):.1f} times "
            "the rounding noise, as power, of a scale per row."
        )
    return (
        f"Of {parity.sentences} greedy translations, {parity.identical_sentences} are identical in "
        f"the network and in the fp32 graphs. Largest differences: encoder "
        f"{parity.encoder_max_error:.1e}, first step {parity.first_step_max_error:.1e}, later "
        f"steps {parity.later_steps_max_error:.1e}, ragged batch "
        f"{parity.ragged_batch_max_error:.1e}, attention {parity.attention_max_error:.1e}."
        f"{_original(parity.original)}"
        f"{quantized if manifest.precision == 'int8' else ''}"
    )
