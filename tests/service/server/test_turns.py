"""A request takes few turns of the event loop: each is behind the work of all others."""

import http.client
import json

from tests.service.api.fakes import UpperCaser, app_with
from tests.service.server.served import Served

NUM_REQUESTS = 40
BODY = json.dumps({"q": "hello", "source": "en", "target": "de"})


def _ask(client: http.client.HTTPConnection) -> None:
    client.request("POST", "/translate", BODY, {"Content-Type": "application/json"})
    reply = client.getresponse()
    assert (reply.status, json.loads(reply.read())) == (200, {"translatedText": "HELLO"})


def test_short_request_is_one_task_and_few_turns() -> None:
    with Served(app_with(UpperCaser())) as served:
        client = http.client.HTTPConnection("127.0.0.1", served.port, timeout=60)
        _ask(client)
        before = served.loop.counts.copy()
        for _ in range(NUM_REQUESTS):
            _ask(client)
        client.close()
        after = served.loop.counts.copy()
    assert after["tasks"] - before["tasks"] == NUM_REQUESTS
    # The packet, the task and its end; uvicorn looks around ten times a second.
    assert after["turns"] - before["turns"] <= 5 * NUM_REQUESTS
