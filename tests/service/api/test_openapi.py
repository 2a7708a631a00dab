"""/openapi.json is a promise to clients."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.service.api.fakes import UpperCaser, app_with, ask
from tests.service.api.openapi_snapshot import PATH, current

_FIELDS: dict[str, set[str] | None] = {
    "v2": {"message"},
    "v3": {"message"},
    "deeplx": {"code", "message"},
    "google": {"error"},
    "plain": None,
}
"""Fields of an error by the first part of a path; None: it is plain text."""
REPEATABLE = ["/translate", "/attention", "/score", "/compare", "/translate_file"]


def test_contract_is_the_one_agreed_on() -> None:
    agreed = json.loads(PATH.read_text(encoding="utf-8"))
    assert current() == agreed, "if it is meant: python -m tests.service.api.openapi_snapshot"


def _references(part: object) -> set[str]:
    if isinstance(part, list):
        return {ref for item in part for ref in _references(item)}
    if not isinstance(part, dict):
        return set()
    own = {part["$ref"]} if isinstance(part.get("$ref"), str) else set()
    return own | _references(list(part.values()))


def test_every_reference_leads_somewhere() -> None:
    api = current()
    known = {f"#/components/schemas/{name}" for name in api["components"]["schemas"]}
    assert _references(api) <= known


def _operations() -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method, path, described)
        for path, methods in current()["paths"].items()
        for method, described in methods.items()
    ]


def test_fastapis_own_error_is_nowhere() -> None:
    assert "HTTPValidationError" not in current()["components"]["schemas"]
    for _, path, described in _operations():
        if path not in REPEATABLE:
            assert "422" not in described["responses"]


@pytest.mark.parametrize("path", REPEATABLE)
def test_every_way_to_fail_is_documented(path: str) -> None:
    responses = set(current()["paths"][path]["post"]["responses"])
    expected = {"200", "400", "403", "408", "409", "413", "422", "429", "500", "503", "504"}
    assert responses - {"202"} == expected


def test_idempotency_key_is_a_header_of_what_is_charged() -> None:
    for _, path, described in _operations():
        named = [each["name"] for each in described.get("parameters", ()) if each["in"] == "header"]
        assert named == (["Idempotency-Key"] if path in REPEATABLE else [])


def test_every_operation_is_described() -> None:
    for method, path, described in _operations():
        assert described["summary"], (method, path)
        assert described["description"], (method, path)


def test_every_parameter_is_described() -> None:
    for path in ("/translate", "/attention", "/detect", "/v2/translate"):
        body = current()["paths"][path]["post"]["requestBody"]
        for content in body["content"].values():
            fields = content["schema"]["properties"]
            assert [name for name, field in fields.items() if "description" not in field] == []


def test_every_field_of_a_reply_is_described() -> None:
    schemas = current()["components"]["schemas"].items()
    fields = [(name, key, field) for name, schema in schemas for key, field in _fields(schema)]
    assert len(fields) > 150
    assert [(name, key) for name, key, field in fields if "description" not in field] == []


def _fields(schema: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return list(schema.get("properties", {}).items())


def test_ids_of_operations_do_not_depend_on_addresses() -> None:
    ids = [described["operationId"] for _, _, described in _operations()]
    assert len(set(ids)) == len(ids)
    assert {"translate", "detect", "languages", "deepl_translate", "deepl_languages"} <= set(ids)


def test_what_takes_a_key_says_which() -> None:
    schemes = current()["components"]["securitySchemes"]
    taken = {
        path: [name for each in described.get("security", ()) for name in each]
        for _, path, described in _operations()
    }
    assert {name for names in taken.values() for name in names} == set(schemes)
    assert taken["/translate"] == ["key"]
    assert taken["/v2/translate"] == ["deepl"]
    assert taken["/metrics"] == ["token"]
    assert taken["/livez"] == []
    for _, path, described in _operations():
        assert bool(taken[path]) == ("403" in described["responses"]), path


def test_every_failure_has_an_example_of_its_own_shape() -> None:
    for method, path, described in _operations():
        for status, response in described["responses"].items():
            if status < "4":
                continue
            fields = _FIELDS.get(path.split("/")[1], {"error", "code"})
            if fields is None:
                assert isinstance(response["content"]["text/plain"]["example"], str)
                continue
            example = response["content"]["application/json"]["example"]
            assert set(example) == fields, (method, path, status)


def test_every_body_of_json_has_an_example_that_is_accepted(tmp_path: Path) -> None:
    app = app_with(UpperCaser(), suggestion_file=tmp_path / "suggestions.tsv")
    bodies = [
        (method, path, described["requestBody"]["content"]["application/json"])
        for method, path, described in _operations()
        if "application/json" in described.get("requestBody", {}).get("content", {})
    ]
    assert {path for _, path, _ in bodies} >= {"/translate", "/detect", "/v2/translate"}
    for method, path, body in bodies:
        reply = ask(app, method.upper(), path, json=body["example"])
        accepted = {404} if "{id}" in path else {200, 201}  # it names nothing that exists
        assert reply.status_code in accepted, (path, reply.text)


def test_it_is_served() -> None:
    reply = ask(app_with(UpperCaser()), "GET", "/openapi.json")
    assert set(reply.json()["paths"]) == set(current()["paths"])
