"""The onnxruntime sessions of a bundle, opened once and shared by all threads."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import onnxruntime as ort

from bundle.errors import InvalidBundleError
from bundle.reader import Bundle, check_unchanged
from bundle.tensors import (
    ALTI_NAME,
    ATTENTION_NAME,
    BEAMS_NAME,
    CANDIDATES_NAME,
    DECODER_NAME,
    ENCODER_NAME,
    INSPECTION_NAMES,
    SHORTLIST_NAME,
    STATES_NAME,
    VALUE_ZEROING_NAME,
    GraphSpec,
    TensorSpec,
    alti_spec,
    attention_spec,
    beams_spec,
    candidates_spec,
    decoder_spec,
    encoder_spec,
    shortlist_spec,
    states_spec,
    value_zeroing_spec,
)
from service.engine.cache.shortlist import NO_PIECE, Shortlist, ShortlistBlock
from service.engine.graphs.cpu_features import has_exact_integer_product
from service.engine.graphs.load_errors import explain_load_error
from service.engine.graphs.weights import add_weights

_DTYPES = {
    "tensor(float)": "float32",
    "tensor(int8)": "int8",
    "tensor(int64)": "int64",
    "tensor(int32)": "int32",
    "tensor(bool)": "bool",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ShortlistSessions:
    """The shortlist of a bundle, and the graph that gathers a sentence's part of the projection."""

    shortlist: Shortlist
    block: ort.InferenceSession

    def blocks(self, sources: Sequence[Sequence[int]]) -> dict[int, ShortlistBlock]:
        """The shortlist block of each sentence that has one, by its index."""
        found = {i: self.shortlist.own_ids_if_listed(source) for i, source in enumerate(sources)}
        listed = {i: ids for i, ids in found.items() if ids is not None}
        if not listed:
            return {}
        own = np.stack(list(listed.values()))
        names = ["shortlist_weights", "shortlist_scales", "shortlist_biases"]
        arrays = self.block.run(names, {"shortlist_ids": own})
        common = self.shortlist.common
        # The logit of an unused entry is masked, and an equal one of the whole vocabulary comes
        # after that of the common piece: neither is ever the first of the best.
        own_ids = np.where(own == NO_PIECE, common[0], own)
        return {
            i: ShortlistBlock(
                common_ids=common, own_ids=ids, weights=weights, scales=scales, biases=biases
            )
            for i, ids, weights, scales, biases in zip(listed, own_ids, *arrays, strict=True)
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Sessions:
    """All sessions of a bundle, each opened and checked at first use.

    `InferenceSession.run` is safe from many threads at once.
    """

    bundle: Bundle
    num_threads: int
    """Threads within one operator; with several workers 1 is fastest."""
    opened: dict[str, ort.InferenceSession] = field(default_factory=dict, repr=False)
    """By the name of the graph's file."""
    uses_shortlist: bool = True
    """Whether greedy search decodes with the bundle's shortlist, if it has one."""
    uses_beams: bool = True
    """Whether beams are decoded with the bundle's graph of beams, if it has one."""
    _shortlist: list[ShortlistSessions] = field(default_factory=list, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def encoder(self) -> ort.InferenceSession:
        """The encoder graph."""
        return self.session(ENCODER_NAME)

    @property
    def decoder(self) -> ort.InferenceSession:
        """The decoder graph."""
        return self.session(DECODER_NAME)

    @property
    def candidates(self) -> ort.InferenceSession:
        """The graph that ranks tokens."""
        return self.session(CANDIDATES_NAME)

    @property
    def has_beams(self) -> bool:
        """Whether there is a graph of beams that is used."""
        return self.uses_beams and self.bundle.has_file(BEAMS_NAME)

    @property
    def beams(self) -> ort.InferenceSession:
        """The graph of beams, where there is one."""
        return self.session(BEAMS_NAME)

    @property
    def attention(self) -> ort.InferenceSession:
        """The teacher-forced graph."""
        return self.session(ATTENTION_NAME)

    @property
    def value_zeroing(self) -> ort.InferenceSession:
        """The graph of value zeroing, where there is one."""
        return self.session(VALUE_ZEROING_NAME)

    @property
    def alti(self) -> ort.InferenceSession:
        """The graph of ALTI, where there is one."""
        return self.session(ALTI_NAME)

    @property
    def states(self) -> ort.InferenceSession:
        """The graph of states, where there is one."""
        return self.session(STATES_NAME)

    @property
    def shortlist(self) -> ShortlistSessions | None:
        """The shortlist, if the bundle has one that is used."""
        table, report = self.bundle.shortlist, self.bundle.manifest.shortlist
        if not self.uses_shortlist or table is None or report is None:
            return None
        if not self._shortlist:
            shortlist = Shortlist(table, report.num_own, is_ranked=report.is_ranked)
            block = self.session(SHORTLIST_NAME)
            self._shortlist.append(ShortlistSessions(shortlist=shortlist, block=block))
        return self._shortlist[0]

    def session(self, name: str) -> ort.InferenceSession:
        """The session of a graph.

        Raises:
            InvalidBundleError: onnxruntime cannot load the graph, or its inputs or outputs are not
                those of `bundle.tensors`.
        """
        with self._lock:
            if name not in self.opened:
                if self.bundle.sha256 and self.bundle.files is None:  # an export has no manifest
                    check_unchanged(self.bundle.path, self.bundle.sha256)
                self.opened[name] = _open_checked(self.bundle, name, self.num_threads)
            return self.opened[name]

    def with_session(self, name: str, session: ort.InferenceSession) -> "Sessions":
        """The same but for one session."""
        return replace(self, opened={**self.opened, name: session}, _lock=threading.Lock())


def open_sessions(bundle: Bundle, *, num_threads: int = 1) -> Sessions:
    """Open all sessions that decode, and check inputs and outputs of their graphs.

    Args:
        bundle: A verified bundle.
        num_threads: Threads within one operator; with several workers 1 is fastest.

    Raises:
        InvalidBundleError: onnxruntime cannot load a graph, or its inputs or outputs are not
            those of `bundle.tensors`; lists the faults of all graphs.
    """
    sessions = Sessions(bundle=bundle, num_threads=num_threads)
    names = [ENCODER_NAME, DECODER_NAME, CANDIDATES_NAME]
    names += [SHORTLIST_NAME] if bundle.manifest.shortlist else []
    names += [BEAMS_NAME] if sessions.has_beams else []
    faults: list[str] = []
    for name in names:
        try:
            sessions.session(name)
        except InvalidBundleError as error:
            faults += error.faults
    if faults:
        raise InvalidBundleError(bundle.path, faults)
    return sessions


def check_attention(sessions: Sessions) -> None:
    """Check the graphs of inspection as `open_sessions` checks the others, and close them again.

    Raises:
        InvalidBundleError: As for `open_sessions`.
    """
    for name in (ATTENTION_NAME, *filter(sessions.bundle.has_file, INSPECTION_NAMES)):
        _open_checked(sessions.bundle, name, sessions.num_threads)


def _open_checked(bundle: Bundle, name: str, num_threads: int) -> ort.InferenceSession:
    session = _open(bundle, name, num_threads)
    if faults := _graph_faults(name, session, _spec(bundle, name)):
        raise InvalidBundleError(bundle.path, faults)
    return session


def _spec(bundle: Bundle, name: str) -> GraphSpec:
    manifest = bundle.manifest
    architecture, cache, shortlist = manifest.architecture, manifest.cache, manifest.shortlist
    specs: dict[str, Callable[[], GraphSpec]] = {
        ENCODER_NAME: lambda: encoder_spec(architecture, cache),
        DECODER_NAME: lambda: decoder_spec(architecture, cache, shortlist),
        CANDIDATES_NAME: lambda: candidates_spec(architecture.vocab_size),
        BEAMS_NAME: lambda: beams_spec(architecture, cache),
        ATTENTION_NAME: lambda: attention_spec(architecture),
        VALUE_ZEROING_NAME: lambda: value_zeroing_spec(architecture),
        ALTI_NAME: lambda: alti_spec(architecture),
        STATES_NAME: lambda: states_spec(architecture),
    }
    if shortlist is not None:
        specs[SHORTLIST_NAME] = lambda: shortlist_spec(architecture, shortlist)
    return specs[name]()


def _open(bundle: Bundle, name: str, num_threads: int) -> ort.InferenceSession:
    options = _options_of(name, num_threads)
    try:
        if bundle.files is None:
            return _create(str(bundle.file(name)), options)
        graph = bytes(bundle.files[name])
        weights = add_weights(options, graph, bundle.files)
        session = _create(graph, options)
        session.weights = weights  # onnxruntime reads them in place, and owns none of them
        return session
    except Exception as error:  # onnxruntime has no exception of its own that is public
        reason = explain_load_error(
            str(error), installed=ort.__version__, exported_with=bundle.manifest.onnxruntime
        )
        raise InvalidBundleError(bundle.path, [f"{name}: {reason}"]) from error


def _options_of(name: str, num_threads: int) -> ort.SessionOptions:
    options = session_options(num_threads, is_exact=has_exact_integer_product())
    if name in (ATTENTION_NAME, *INSPECTION_NAMES):
        # Open in every engine and seldom run: without copies of its weights in the kernels' order,
        # and without an arena that keeps what the longest pass took, it has 6 MB instead of 14,
        # and after passes 20 instead of 27. They take 5 % longer.
        options.add_session_config_entry("session.disable_prepacking", "1")
        options.enable_cpu_mem_arena = False
    return options


def _create(graph: str | bytes, options: ort.SessionOptions) -> ort.InferenceSession:
    return ort.InferenceSession(
        graph,
        options,
        providers=["CPUExecutionProvider"],
        # Measured 7 times slower on CPU than the Add and LayerNormalization that it replaces.
        disabled_optimizers=["SkipLayerNormFusion"],
    )


def session_options(num_threads: int, *, is_exact: bool) -> ort.SessionOptions:
    """Options of a session.

    Args:
        num_threads: Threads within one operator.
        is_exact: Whether the CPU's fast integer product does not saturate.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = num_threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    # A pattern is stored for every combination of input shapes: memory would grow with traffic.
    options.enable_mem_pattern = False
    # Within a run, threads that wait for each other spin: waking them would take too long. Between
    # runs they must not spin, because another session needs the cores.
    options.add_session_config_entry("session.intra_op.allow_spinning", str(int(num_threads > 1)))
    options.add_session_config_entry("session.force_spinning_stop", "1")
    # Without VNNI the fast integer product saturates, and translations would depend on the CPU. The
    # exact product costs a third of the speed where the fast one is exact as well.
    if not is_exact:
        options.add_session_config_entry("session.x64quantprecision", "1")
    return options


def _graph_faults(name: str, session: ort.InferenceSession, spec: GraphSpec) -> list[str]:
    return [
        *_tensor_faults(f"{name}: input", session.get_inputs(), spec.inputs),
        *_tensor_faults(f"{name}: output", session.get_outputs(), spec.outputs),
    ]


def _tensor_faults(
    where: str, found: list[ort.NodeArg], wanted: tuple[TensorSpec, ...]
) -> list[str]:
    by_name = {tensor.name: tensor for tensor in found}
    faults = [
        f"{where} {name}: unknown" for name in sorted(by_name.keys() - {t.name for t in wanted})
    ]
    for spec in wanted:
        tensor = by_name.get(spec.name)
        fault = "missing" if tensor is None else _tensor_fault(tensor, spec)
        faults += [f"{where} {spec.name}: {fault}"] if fault else []
    return faults


def _tensor_fault(found: ort.NodeArg, wanted: TensorSpec) -> str | None:
    dtype = _DTYPES.get(found.type, found.type)
    if dtype != wanted.dtype:
        return f"{dtype}, not {wanted.dtype}"
    fits = len(found.shape) == len(wanted.shape) and all(
        have == want if isinstance(want, int) else not isinstance(have, int)
        for have, want in zip(found.shape, wanted.shape, strict=True)
    )
    return None if fits else f"shape {list(found.shape)}, not {list(wanted.shape)}"
