"""docs/api.md and the descriptions it is made from: complete, current, and true of the routes that there are."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from podium_gateway.apidoc.page import endpoints, page
from podium_gateway.apidoc.schemas import example_of, row_type, said
from podium_gateway.app import described
from podium_gateway.errors import PodiumError

API = described().openapi()
PAGE = page(API)
ROOT = Path(__file__).parents[2]
OPERATIONS = {
    f"{method.upper()} {path}": operation for path, methods in API["paths"].items() for method, operation in methods.items()
}
KEYLESS = {"GET /health", "GET /ready", "GET /metrics", "GET /artifacts/{owner}/{object_id}"}
NOT_BELOW_API = KEYLESS | {"GET /users/{user_id}/vnc/{session_id}"}


def schemas_of(value: Any) -> Iterator[str]:
    """Names of the objects that a part of the description refers to."""
    yield from re.findall(r"#/components/schemas/(\w+)", str(value))


def test_the_page_in_the_repository_is_the_generated_one() -> None:
    assert (ROOT / "docs/api.md").read_text() == PAGE


def test_it_is_generated_and_checked_with_the_others() -> None:
    assert '"docs/api.md"' in (ROOT / "scripts/generate.py").read_text()


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_says_everything_of_itself(name: str) -> None:
    operation = OPERATIONS[name]
    assert operation["summary"]
    assert operation["description"]
    assert len(operation["tags"]) == 1
    for parameter in operation.get("parameters", []):
        assert parameter.get("description") or said(parameter["schema"]), parameter["name"]
    for status, answer in operation["responses"].items():
        assert answer["description"], status
    assert "422" not in operation["responses"]


@pytest.mark.parametrize("name", sorted(OPERATIONS.keys() - NOT_BELOW_API))
def test_an_operation_below_api_names_its_common_errors(name: str) -> None:
    operation = OPERATIONS[name]
    expected = {"400", "401"}
    expected |= {"403"} if "{user_id}" in name else set()
    expected |= {"404"} if "{session_id}" in name else set()
    expected |= {"413"} if "requestBody" in operation else set()
    assert expected <= operation["responses"].keys()
    for status in operation["responses"].keys() - {"200", "204"}:
        assert list(schemas_of(operation["responses"][status])) == ["ErrorBody"], status


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_asks_for_a_key_unless_it_is_meant_for_nobody(name: str) -> None:
    security = {scheme for each in OPERATIONS[name].get("security", []) for scheme in each}
    assert security == (set() if name in KEYLESS else {"bearer", "header", "query"})


def test_operation_ids_are_unique() -> None:
    ids = [operation["operationId"] for operation in OPERATIONS.values()]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("name", API["components"]["schemas"])
def test_an_object_says_what_it_is_and_its_inputs_what_they_are_for(name: str) -> None:
    schema = API["components"]["schemas"][name]
    assert schema.get("description")
    inputs = {found for each in OPERATIONS.values() for found in schemas_of(each.get("requestBody", ""))}
    if name in inputs:
        assert schema["examples"]
        for field, each in schema["properties"].items():
            assert said(each), field


@pytest.mark.parametrize("one", endpoints(API), ids=lambda one: one.title)
def test_an_endpoint_is_on_the_page_with_its_call_parameters_statuses_and_fields(one: Any) -> None:
    begin = PAGE.index(f"### {one.title}\n")
    end = min(found for found in (PAGE.find("\n### ", begin + 1), PAGE.find("\n## ", begin + 1)) if found > 0)
    section = PAGE[begin:end]
    if one.also:
        assert f"`{one.method} {one.also}`" in section
    command = shlex.split(re.findall(r"```sh\n(.*?)```", section, re.DOTALL)[0].replace("\\\n", " "))
    assert command[0] == "curl"
    assert ("-X" not in command) == (one.method == "GET")
    assert not [word for word in command if "{" in word and not word.startswith("{")]
    for parameter in one.operation.get("parameters", []):
        assert f"| `{parameter['name']}` |" in section
    for name in schemas_of(one.operation.get("requestBody", "")):
        for field in API["components"]["schemas"][name]["properties"]:
            assert f"`{field}`" in section
    for status in one.operation["responses"]:
        assert f"\n| {status} |" in section


def test_every_object_that_an_answer_names_has_its_fields_on_the_page() -> None:
    for name, schema in API["components"]["schemas"].items():
        assert f"\n### {name}\n" in PAGE
        for field in schema.get("properties", {}):
            assert f"| `{field}` |" in PAGE


def test_every_link_on_the_page_leads_somewhere() -> None:
    headings = re.findall(r"^#+ (.+)$", PAGE, re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    assert set(re.findall(r"\]\(#([^)]+)\)", PAGE)) <= anchors


@pytest.mark.parametrize("path", ["/ws/{session_id}", "/users/{user_id}/ws/{session_id}", "/users/{user_id}/vnc/ws/{session_id}"])
def test_the_sockets_are_on_the_page(path: str) -> None:
    assert path in PAGE


@pytest.mark.parametrize("missing", ["428", "users/me/api-key", "users/me/user_id", "500 from `POST /api/sessions`", "task"])
def test_what_cannot_be_reached_yet_is_said_with_its_reason(missing: str) -> None:
    begin = PAGE.index("## Not reachable yet, and why")
    rows = [row for row in PAGE[begin : PAGE.index("## Objects")].splitlines() if missing in row]
    assert rows
    assert len(rows[0].split("|")[2]) > 20


def test_every_code_of_an_error_that_a_caller_may_meet_is_on_the_page() -> None:
    assert f"`{PodiumError.code}`" in PAGE
    for code in ("session_not_found", "capacity_exhausted", "link_refused", "not_offered", "invalid_request"):
        assert f"`{code}`" in PAGE


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "integer", "minimum": 1, "maximum": 100}, "integer, 1 to 100"),
        ({"type": "string", "maxLength": 65536}, "string, at most 65,536 characters"),
        ({"type": "number", "exclusiveMinimum": 0, "maximum": 600.0}, "number, above 0, to 600"),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, "string or null"),
        ({"enum": ["a", "b"]}, "`a`, `b`"),
        ({"const": "a"}, "`a`"),
        ({"type": "array", "items": {"$ref": "#/x/Node"}}, "array of [Node](#node)"),
        ({}, "any JSON"),
    ],
)
def test_a_schema_in_words(schema: dict[str, Any], words: str) -> None:
    assert row_type(schema) == words


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "string", "examples": ["x", "y"], "default": "z"}, "x"),
        ({"type": "integer", "default": 3}, 3),
        ({"type": "object", "properties": {"a": {"type": "boolean"}}}, {"a": False}),
        ({"type": "array", "items": {"enum": ["q"]}}, ["q"]),
        ({"$ref": "#/x/Thing"}, {"n": 1}),
        ({"type": "string", "format": "date-time"}, "2026-03-01T10:00:00.000Z"),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None}, None),
    ],
)
def test_an_example_value(schema: dict[str, Any], value: object) -> None:
    assert example_of(schema, {"Thing": {"properties": {"n": {"const": 1}}}}) == value
