"""docs/clients.md: each client that it names has the test that its column of proof promises."""

import re
from collections import Counter
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
ROW = re.compile(r"^\| ([^|]+) \| ([^|]+) \|[^\n]* (client|recorded|protocol) \|$", re.MULTILINE)
ROWS = ROW.findall((REPOSITORY / "docs" / "clients.md").read_text(encoding="utf-8"))
_RECORDED = "tests/service/api/dialects/recorded.py"
_RECIPES = "tests/service/clients/test_recipes.py"
_CLIENTS = "tests/service/clients/test_clients.py"
_DIALECTS = "tests/service/clients/test_dialect_clients.py"
_NODE = "tests/service/clients/test_node_clients.py"
PROOFS = {
    ("`deepl`", "DeepLClient"): (_CLIENTS, "deepl.DeepLClient("),
    ("`libretranslatepy`", ""): (_CLIENTS, "LibreTranslateAPI("),
    ("`deep-translator`", ""): (_CLIENTS, "deep_translator"),
    ("`google-cloud-translate`", ""): (_DIALECTS, "translate_v2"),
    ("`googletrans`", ""): (_DIALECTS, "googletrans"),
    ("`deeplx-tr`", ""): (_DIALECTS, "deeplx_tr"),
    ("`deepl-node`", ""): (_NODE, "from 'deepl-node'"),
    ("`translate`", ""): (_NODE, "from 'translate'"),
    ("`@google-cloud/translate`", ""): (_NODE, "import('@google-cloud/translate')"),
    ("SillyTavern", ""): (_RECORDED, 'client="SillyTavern"'),
    ("Pot", ""): (_RECORDED, 'client="Pot (DeepLX)"'),
    ("Bob", ""): (_RECORDED, 'client="Bob'),
    ("pdf2zh", ""): (_RECORDED, 'client="pdf2zh"'),
    ("Immersive Translate", ""): (_RECORDED, 'client="Immersive Translate"'),
    ("Kiss Translator", "Custom"): (_RECORDED, 'client="Kiss Translator, one text"'),
    ("Kiss Translator", "DeepLX"): (_RECORDED, 'client="Kiss Translator (DeepLX)"'),
    ("Weblate", "LibreTranslate"): (_RECIPES, "def test_weblate("),
    ("Weblate", "DeepL"): ("tests/service/clients/test_deepl_client.py", "def test_weblate_finds"),
    ("LibreOffice", ""): (_RECIPES, "def test_libreoffice("),
    ("Home Assistant", ""): (_RECIPES, "def test_home_assistant("),
    ("Mastodon", ""): (_RECIPES, "def test_mastodon("),
    ("Zotero PDF Translate", "LibreTranslate"): (_RECIPES, "def test_zotero("),
    ("Zotero PDF Translate", "MTranServer"): (_RECORDED, 'client="Zotero PDF Translate (MTran'),
    ("programs for MTranServer", ""): (_RECORDED, 'client="MTranServer\'s own page"'),
    ("XUnity.AutoTranslator", ""): (_RECORDED, 'client="XUnity.AutoTranslator'),
    ("KOReader", ""): (_RECORDED, 'client="KOReader'),
}
"""By the beginnings of the first two cells of a row: the file of its test, and what is in it."""


def _proofs(client: str, service: str) -> list[tuple[str, str]]:
    return [
        proof
        for (name, chosen), proof in PROOFS.items()
        if re.match(rf"{re.escape(name)}(?!\w)", client) and service.strip("`").startswith(chosen)
    ]


@pytest.mark.parametrize(("client", "service", "proof"), ROWS, ids=lambda cell: cell)
def test_a_client_has_the_test_that_is_promised(client: str, service: str, proof: str) -> None:
    found = _proofs(client, service)
    if proof == "protocol":
        assert not found, "it has a test of its own: say so"
        return
    ((file, text),) = found
    assert text in (REPOSITORY / file).read_text(encoding="utf-8")
    assert (proof == "client") == (file in (_CLIENTS, _DIALECTS, _NODE))


def test_every_kind_of_proof_is_there_and_no_test_is_for_a_client_that_is_gone() -> None:
    assert Counter(proof for *_, proof in ROWS)["recorded"] > 12
    used = [proof for client, service, _ in ROWS for proof in _proofs(client, service)]
    assert sorted(used) == sorted(PROOFS.values())
