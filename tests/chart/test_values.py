"""The values: each has its sentence, the schema knows each of them, and knows no other."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from chart_values import declared, table
from support.chart import CHART, NEEDS_HELM, Helm, Refused

pytestmark = NEEDS_HELM

SCHEMA = json.loads((CHART / "values.schema.json").read_text())
TEXT = (CHART / "values.yaml").read_text()
VALUES = yaml.load(TEXT, yaml.CSafeLoader)
GLOBAL = "global"
"""Helm's own, of which a chart that is another's dependency is told too."""


def resolved(schema: Any) -> Any:
    reference = schema.get("$ref")
    return SCHEMA["$defs"][reference.removeprefix("#/$defs/")] if reference else schema


def leaves(schema: Any, path: str = "") -> Iterator[str]:
    """Values that the schema knows: what is in the chart's own groups, not inside Kubernetes' types."""
    for name, each in schema["properties"].items():
        below = f"{path}.{name}".lstrip(".")
        if "properties" in each:
            yield from leaves(each, below)
        elif below != GLOBAL:
            yield below


def every_object(schema: Any) -> Iterator[Any]:
    if isinstance(schema, dict):
        if schema.get("type") == "object":
            yield schema
        for each in schema.values():
            yield from every_object(each)
    elif isinstance(schema, list):
        for each in schema:
            yield from every_object(each)


def test_every_value_has_one_sentence() -> None:
    for value in declared(TEXT):
        assert value.sentence.endswith("."), value
        assert ". " not in value.sentence.rstrip("."), value
        assert value.sentence[0].isupper() or value.sentence[0] == "/", value


def test_the_schema_knows_the_documented_values_and_no_others() -> None:
    assert sorted(leaves(SCHEMA)) == sorted(value.path for value in declared(TEXT))


def test_the_documented_values_are_those_of_the_file() -> None:
    for value in declared(TEXT):
        found = VALUES
        for name in value.path.split("."):
            found = found[name]
        assert found == yaml.safe_load(value.default), value


def test_every_object_of_the_schema_is_closed_or_maps_names_to_one_type() -> None:
    for each in every_object(SCHEMA):
        if "properties" in each:
            assert each["additionalProperties"] is False, each
        else:
            assert each == SCHEMA["properties"][GLOBAL] or "additionalProperties" in each, each


def test_the_page_says_them_all() -> None:
    page = table()
    for value in declared(TEXT):
        assert f"| `{value.path}` |" in page


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"pool.replica": 3}, "at '/pool': additional properties 'replica' not allowed"),
        ({"ingres": {"enabled": True}}, "additional properties 'ingres' not allowed"),
        ({"pool.replicas": "three"}, "at '/pool/replicas': got string, want integer"),
        ({"pool.replicas": -1}, "at '/pool/replicas': minimum: got -1, want 0"),
        ({"pool.sandbox": "required"}, "at '/pool/sandbox': value must be one of 'Required', 'Preferred', 'Off', false"),
        ({"pool.shmSize": "1GB"}, "'1GB' does not match pattern"),
        ({"pool.resources.limit": {"memory": "1Gi"}}, "at '/pool/resources': additional properties 'limit' not allowed"),
        ({"pool.extraEnv": [{"name": "PODIUM_KEYS", "value": "x"}]}, "at '/pool/extraEnv/0/name': 'not' failed"),
        ({"pool.tolerations": [{"key": "a", "op": "Exists"}]}, "additional properties 'op' not allowed"),
        ({"gateway.settings.PODIUM_HOME": "/x"}, "invalid propertyName 'PODIUM_HOME'"),
        ({"gateway.settings.TIMEOUT": 1}, "'TIMEOUT' does not match pattern '^PODIUM_"),
        (
            {"gateway.publicUrl": "podium.example.com"},
            "at '/gateway/publicUrl': 'podium.example.com' does not match pattern '^(https?",
        ),
        ({"namespaces.sessions": "Podium Sessions"}, "at '/namespaces/sessions': 'Podium Sessions' does not match pattern"),
        ({"seccomp.folder": "seccomp"}, "at '/seccomp/folder': 'seccomp' does not match pattern"),
    ],
)
def test_a_wrong_value_is_refused_with_its_name_and_why(helm: Helm, values: dict[str, object], sentence: str) -> None:
    with pytest.raises(Refused) as refused:
        helm.render(values)
    assert sentence in str(refused.value)
