import json
from pathlib import Path

import pytest
import yaml

from podium_crds.definitions import DEFINITIONS
from podium_crds.objects import Model
from podium_crds.reference import page
from podium_crds.schema import structural
from podium_crds.sessions import BrowserSessionSpec

ROOT = Path(__file__).parents[2]


def walk(schema, path=""):
    yield path, schema
    for name, field in schema.get("properties", {}).items():
        yield from walk(field, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from walk(schema[key], f"{path}[]")


def schema_of(plural):
    return DEFINITIONS[plural]["spec"]["versions"][0]["schema"]["openAPIV3Schema"]


@pytest.mark.parametrize("plural", DEFINITIONS)
def test_the_yaml_says_what_the_definition_says(plural):
    assert yaml.safe_load((ROOT / "crds" / f"{plural}.yaml").read_text()) == json.loads(json.dumps(DEFINITIONS[plural]))


@pytest.mark.parametrize("plural", DEFINITIONS)
def test_schemas_are_structural(plural):
    for path, schema in walk(schema_of(plural)):
        assert not {"$ref", "$defs", "title", "const", "exclusiveMinimum", "exclusiveMaximum", "nullable"} & set(schema), path
        if schema.get("x-kubernetes-int-or-string"):
            assert "type" not in schema, path
        else:
            assert "type" in schema, path
            assert "anyOf" not in schema, path
        assert schema.get("default", "") is not None, path


@pytest.mark.parametrize("plural", DEFINITIONS)
def test_every_field_of_spec_and_status_has_a_description(plural):
    properties = schema_of(plural)["properties"]
    for part in ("spec", "status"):
        for path, schema in walk(properties[part]):
            if not path.endswith("[]"):
                assert schema.get("description"), f"{part}{path}"


@pytest.mark.parametrize("plural", DEFINITIONS)
def test_texts_and_lists_that_rules_look_at_are_bounded(plural):
    for path, schema in walk(schema_of(plural)["properties"]["spec"]):
        if schema.get("type") == "string" and "enum" not in schema and schema.get("format") != "date-time":
            assert "maxLength" in schema, path
        if schema.get("type") == "array":
            assert "maxItems" in schema, path
        if "additionalProperties" in schema:
            assert "maxProperties" in schema, path


def test_nothing_of_a_session_may_change_but_its_extension():
    rules = schema_of("browsersessions")["properties"]["spec"]["x-kubernetes-validations"]
    kept = {rule["fieldPath"][1:] for rule in rules if "cannot be changed" in rule["message"]}
    assert kept == set(schema_of("browsersessions")["properties"]["spec"]["properties"]) - {"extendUntil"}


def test_the_default_of_a_whole_spec_is_complete():
    assert BrowserSessionSpec.model_validate(schema_of("browsersessions")["properties"]["spec"]["default"]) == BrowserSessionSpec()


def test_a_field_without_a_description_is_refused():
    class Silent(Model):
        """Says nothing of its field."""

        field: int = 0

    with pytest.raises(ValueError, match="field has no description"):
        structural(Silent)


def test_the_page_names_every_field():
    text = page()
    for plural in DEFINITIONS:
        for part in ("spec", "status"):
            for name in schema_of(plural)["properties"][part]["properties"]:
                assert f"| `{name}` |" in text
