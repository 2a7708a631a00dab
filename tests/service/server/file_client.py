"""A client that sends files, asks for their jobs and fetches what became of them."""

from dataclasses import dataclass
from typing import Any

import httpx

from tests.service.server_process import LONGEST_S, ServerProcess
from tests.service.tiny_models import tiny_bundle
from tests.service.waiting import eventually

CANARY = tiny_bundle().manifest.canary
PAIR = {"source": CANARY.pair.source, "target": CANARY.pair.target}


@dataclass(frozen=True, slots=True, kw_only=True)
class FileClient:
    """One client of a server."""

    server: ServerProcess
    key: str = ""

    def send(
        self, data: bytes, name: str = "a.txt", *, is_async: bool = True, **form: str
    ) -> httpx.Response:
        """The reply to a file."""
        fields = {**PAIR, "async": str(is_async).lower(), "api_key": self.key, **form}
        return httpx.post(
            f"{self.server.url}/translate_file",
            files={"file": (name, data)},
            data=fields,
            timeout=LONGEST_S,
        )

    def accepted(self, data: bytes, name: str = "a.txt", **form: str) -> str:
        """The id of a job that the server has accepted."""
        reply = self.send(data, name, is_async=True, **form)
        assert reply.status_code == 202, reply.text
        return str(reply.json()["id"])

    def job(self, job_id: str) -> dict[str, Any]:
        """How a job stands."""
        reply = httpx.get(f"{self.server.url}/jobs/{job_id}", timeout=LONGEST_S)
        assert reply.status_code == 200, reply.text
        job: dict[str, Any] = reply.json()
        return job

    def cancel(self, job_id: str) -> dict[str, Any]:
        """Give a job up."""
        reply = httpx.delete(f"{self.server.url}/jobs/{job_id}", timeout=LONGEST_S)
        assert reply.status_code == 200, reply.text
        job: dict[str, Any] = reply.json()
        return job

    def ended(self, job_id: str) -> dict[str, Any]:
        """A job once it has ended."""
        eventually(lambda: self.job(job_id)["status"] in ("done", "failed", "cancelled"))
        return self.job(job_id)

    def fetched(self, job_id: str) -> bytes:
        """The translated file, once the job is done."""
        job = self.ended(job_id)
        assert job["status"] == "done", job
        path = httpx.URL(job["translatedFileUrl"]).path
        reply = httpx.get(f"{self.server.url}{path}", timeout=LONGEST_S)
        assert reply.status_code == 200, reply.text
        return reply.content


def text_file(name: str, num_paragraphs: int) -> bytes:
    """A text whose paragraphs all differ, and differ from those of other names."""
    paragraphs = (f"{name} {n} {CANARY.source_text}" for n in range(num_paragraphs))
    return "\n\n".join(paragraphs).encode()
