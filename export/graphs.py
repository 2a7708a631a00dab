"""All graphs of a bundle, in one precision, as files in a folder."""

from pathlib import Path

from bundle.tensors import ATTENTION_NAME, DECODER_NAME, ENCODER_NAME
from export.attention_graph import build_attention
from export.decoder_graph import build_decoder
from export.encoder_graph import build_encoder
from export.graph_builder import GraphBuilder
from export.network import Network
from export.packing import save_graphs
from export.quantize import ActivationPlan


def write_graphs(network: Network, plan: ActivationPlan | None, folder: Path) -> None:
    """Build encoder, decoder and attention graph and save them with their weights.

    Args:
        network: What is exported.
        plan: How activations are quantised; None builds in fp32.
        folder: Existing folder.
    """
    encoder, decoder, attention = (GraphBuilder(network, plan) for _ in range(3))
    graphs = {
        ENCODER_NAME: build_encoder(encoder),
        DECODER_NAME: build_decoder(decoder),
        ATTENTION_NAME: build_attention(attention)[0],
    }
    builders = {ENCODER_NAME: encoder, DECODER_NAME: decoder, ATTENTION_NAME: attention}
    save_graphs(folder, graphs, {name: b.weights for name, b in builders.items()})
