"""Writes all graphs of a bundle, in one precision, to a folder."""

from collections.abc import Callable
from pathlib import Path

import onnx

from bundle.shortlist import write_table
from bundle.tensors import (
    ATTENTION_NAME,
    BEAMS_NAME,
    CANDIDATES_NAME,
    DECODER_NAME,
    ENCODER_NAME,
    SHORTLIST_NAME,
    SHORTLIST_TABLE_NAME,
)
from export.graphs.builder import GraphBuilder
from export.graphs.inspection.files import build_inspections
from export.graphs.rewriting.beams import build_beams, has_beams
from export.graphs.transformer.attention import build_attention
from export.graphs.transformer.candidates import build_candidates
from export.graphs.transformer.decoder import build_decoder
from export.graphs.transformer.encoder import build_encoder
from export.graphs.transformer.shortlist import build_shortlist
from export.graphs.weight_file import save_graphs
from export.lexicon.shortlist import ShortlistPlan
from export.network import Network
from export.quantization import ActivationPlan


def write_graphs(
    network: Network,
    plan: ActivationPlan | None,
    folder: Path,
    shortlist: ShortlistPlan | None = None,
) -> None:
    """Build all graphs and save them with their weights.

    Args:
        network: The network.
        plan: Quantisation of activations; None builds in fp32.
        folder: Existing folder.
        shortlist: Int8 only.
    """
    vocab_size = network.architecture.vocab_size
    build: dict[str, Callable[[GraphBuilder], onnx.ModelProto]] = {
        ENCODER_NAME: build_encoder,
        DECODER_NAME: lambda builder: build_decoder(builder, shortlist),
        CANDIDATES_NAME: lambda builder: build_candidates(builder, vocab_size),
        ATTENTION_NAME: lambda builder: build_attention(builder)[0],
    }
    if shortlist is not None:
        report = shortlist.report
        build[SHORTLIST_NAME] = lambda builder: build_shortlist(builder, report)
        write_table(folder / SHORTLIST_TABLE_NAME, shortlist.table)
    builders = {name: GraphBuilder(network, plan) for name in build}
    graphs = {name: build[name](builder) for name, builder in builders.items()}
    save_graphs(folder, graphs, {name: b.weights for name, b in builders.items()})
    if has_beams(network.architecture):
        cache = builders[DECODER_NAME].cache_dtype
        decoder, candidates = graphs[DECODER_NAME], graphs[CANDIDATES_NAME]
        beams = build_beams(decoder, candidates, network.architecture, cache)
        (folder / BEAMS_NAME).write_bytes(beams.SerializeToString())
    for name, graph in build_inspections(graphs[ATTENTION_NAME], network.architecture).items():
        (folder / name).write_bytes(graph.SerializeToString())
