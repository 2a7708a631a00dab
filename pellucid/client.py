"""Translations of a server, with the values and errors of a translator in this process."""

import json
import math
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, Unpack

from pellucid import replies
from pellucid.attention import Attention
from pellucid.base import AUTO, BaseTranslator, target_of
from pellucid.connections import Connections, HttpReply
from pellucid.options import CallOptions, TranslateOptions
from service.errors import DeadlineExceededError, OverloadedError, ServiceError, WrongKeysError
from service.inspection.values import AttentionRequest, ScoredPair, ScoreRequest
from service.text.detection import Detection
from service.translation.values import Translation

_Value = TypeVar("_Value")
_SAME_NAMES = (
    "beam_size",
    "length_penalty",
    "max_target_tokens",
    "alternatives",
    "unwrap",
    "alignment",
)
"""Options that the API calls as we do."""
_LEAST_S = 1.0
"""Least time for a reply, which may say that the time is over."""


class Client(BaseTranslator):
    """Translates, inspects and scores with a server; safe between threads.

    >>> with Client("http://127.0.0.1:8000", "en", "de") as client:
    ...     client.translate("Good morning.")
    'Guten Morgen.'

    A request that the server refuses because it is busy is sent again after the time that the
    server names, unless that is longer than the caller waits. Each request has an
    `Idempotency-Key`, so its characters are charged once.
    Proxies of the environment are not used.
    """

    def __init__(
        self,
        url: str,
        source: str | None = None,
        target: str | None = None,
        *,
        api_key: str | None = None,
        timeout_s: float = 60.0,
        max_retries: int = 3,
        sleep: Callable[[float], object] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        **defaults: Unpack[TranslateOptions],
    ) -> None:
        """Open nothing yet.

        Args:
            url: Address of the server, such as `http://127.0.0.1:8000`.
            source: Language of the texts; None: detected.
            target: Language to translate to; None: every call names one.
            api_key: Where the server asks for one.
            timeout_s: Longest silence of the server, and longest wait between two attempts.
            max_retries: How often a refused request is sent again.
            sleep: Waits between them.
            clock: Seconds since any moment.
            defaults: Options of translations that name none.

        Raises:
            ValueError: `url` is no address.
            TypeError: An option does not exist.
        """
        super().__init__(source, target, defaults)
        self._connections = Connections(url, timeout_s=timeout_s)
        self._timeout_s = timeout_s
        self._headers = {} if api_key is None else {"Authorization": f"Bearer {api_key}"}
        self._max_retries = max_retries
        self._sleep = sleep
        self._clock = clock

    def close(self) -> None:
        """Close the connections; calls that wait for a reply still get it."""
        self._connections.close()

    def detect(self, text: str) -> list[Detection]:
        """The languages that the server knows and a text may be in, likeliest first."""
        return self._post("/detect", {"q": text}, _each(replies.detection_of))

    def _translate(
        self, texts: tuple[str, ...], options: CallOptions, *, with_details: bool
    ) -> list[Translation]:
        content = _content(texts, options, with_details=with_details)
        if not texts:
            return []
        return self._post(
            "/translate",
            content,
            replies.translations_of,
            within_s=options.get("timeout_s", math.inf),
        )

    def _attention(self, request: AttentionRequest) -> list[Attention]:
        selection = request.selection
        content: dict[str, Any] = {
            "q": list(request.texts),
            "source": request.source,
            "target": request.target,
            "kinds": list(selection.kinds),
            "reduce": selection.reduce,
            "words": selection.words,
        }
        if selection.method != "attention":  # unknown to older servers
            content["method"] = selection.method
        if selection.states:  # likewise
            content["states"] = True
        chosen = {
            "layers": selection.layers,
            "heads": selection.heads,
            "translation": request.translations,
            "contrast": request.contrasts,
            "without_heads": request.without_heads or None,  # unknown to older servers
        }
        content |= {name: list(value) for name, value in chosen.items() if value is not None}
        pairs = self._post("/attention", content, _each(replies.inspected_pair_of))
        return [Attention(pair=pair, selection=selection) for pair in pairs]

    def _score(self, request: ScoreRequest) -> list[ScoredPair]:
        pairs = [{"source_text": text, "target_text": given} for text, given in request.pairs]
        content: dict[str, Any] = {
            "pairs": pairs,
            "source": request.source,
            "target": request.target,
        }
        if request.without_heads:
            content["without_heads"] = list(request.without_heads)
        return self._post("/score", content, _each(replies.score_of))

    def _post(
        self,
        path: str,
        content: Mapping[str, Any],
        value_of: Callable[[Any], _Value],
        *,
        within_s: float = math.inf,
    ) -> _Value:
        """The value of a reply, after as many attempts as it takes.

        Args:
            path: Of the operation.
            content: Of the request.
            value_of: Reads the reply.
            within_s: Time for all attempts; none begins after it.

        Raises:
            DeadlineExceededError: The server is silent when that is over.
            ServiceError: The server refused the request.
            ConnectionError: It cannot be reached.
            TimeoutError: It does not answer.
        """
        headers = self._headers | {"Idempotency-Key": uuid.uuid4().hex}
        started_s = self._clock()
        for attempt in range(self._max_retries + 1):
            left_s = max(_LEAST_S, started_s + within_s - self._clock())
            try:
                reply = self._connections.post(path, content, headers, within_s=left_s)
                received = _received(reply)
                break
            except TimeoutError as error:
                if left_s >= self._timeout_s:
                    raise
                raise DeadlineExceededError(f"{error}: the time of this call is over") from error
            except OverloadedError as error:
                if attempt == self._max_retries or isinstance(error, WrongKeysError):
                    raise
                left_s = started_s + within_s - self._clock()
                if error.retry_after_s > min(self._timeout_s, left_s):
                    raise
                self._sleep(error.retry_after_s)
        try:
            return value_of(received)
        except (KeyError, TypeError, ValueError) as error:
            raise ServiceError(
                f"the reply of {path} is of another version than this client: {error}"
            ) from error


def _each(value_of: Callable[[Any], _Value]) -> Callable[[Any], list[_Value]]:
    """What reads a list."""
    return lambda content: [value_of(each) for each in content]


def _content(texts: tuple[str, ...], options: CallOptions, *, with_details: bool) -> dict[str, Any]:
    """The body of a request."""
    content: dict[str, Any] = {
        "q": list(texts),
        "source": options.get("source", AUTO),
        "target": target_of(options),
        "details": with_details,
        **{name: value for name, value in options.items() if name in _SAME_NAMES},
    }
    if options.get("html"):
        content["format"] = "html"
    if "glossary" in options:
        terms = options["glossary"].items()
        content["glossary"] = [{"source": source, "target": target} for source, target in terms]
    if options.get("search") and with_details:
        content["search"] = True
    if options.get("without_heads"):
        content["without_heads"] = [list(head) for head in options["without_heads"]]
    if math.isfinite(timeout_s := options.get("timeout_s", math.inf)):
        content["deadline_ms"] = max(1, round(1000 * timeout_s))
    return content


def _received(reply: HttpReply) -> Any:  # noqa: ANN401 - JSON
    """The JSON of a reply.

    Raises:
        ServiceError: The reply is an error, or no JSON.
    """
    try:
        content = json.loads(reply.body)
    except ValueError:
        content = None
    if reply.status != 200:
        raise replies.error_of(reply, content)
    if content is None:
        raise ServiceError("the reply is no JSON: is this the address of a Pellucid server?")
    return content
