"""From a model to the structural schema that an API server wants: nothing shared by reference, no titles, no nulls.

Descriptions come from the docstrings of the fields; a field without one is a mistake, and `structural` raises.
"""

from typing import Any, Final

from podium_crds.objects import Model

__all__ = ["structural"]

_NOTHING: Final[tuple[object, ...]] = (None, [], ())
_DROPPED: Final = frozenset({"title", "$defs"})


def structural(model: type[Model]) -> dict[str, Any]:
    """The OpenAPI v3 schema of `model`, as it stands in a CustomResourceDefinition."""
    schema = model.model_json_schema(by_alias=True)
    return _clean(schema, schema.get("$defs", {}))


def _clean(schema: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
    schema = _without_null(_resolved(schema, known))
    schema = _resolved(schema, known)
    result: dict[str, Any] = {}
    for key, value in _without_nothing(schema).items():
        if key in _DROPPED or (key == "default" and value in _NOTHING):
            continue
        if key == "properties":
            result[key] = {name: _described(name, _clean(field, known)) for name, field in value.items()}
        elif key in ("items", "additionalProperties") and isinstance(value, dict):
            result[key] = _clean(value, known)
        elif key == "default" and value == _implied(schema, known):
            result[key] = {}
        elif key == "const":
            result["enum"] = [value]
        else:
            result[key] = value
    return result


def _resolved(schema: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
    """With what a reference points to in its place; what stands beside the reference goes before it."""
    reference = schema.get("$ref")
    if reference is None:
        return schema
    rest = {key: value for key, value in schema.items() if key != "$ref"}
    return {**known[reference.rpartition("/")[2]], **rest}


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """An optional field is one that may be absent; null is no value in Kubernetes."""
    options = [option for option in schema.get("anyOf", []) if option != {"type": "null"}]
    if len(options) != 1:
        return schema
    return {**options[0], **{key: value for key, value in schema.items() if key != "anyOf"}}


def _implied(schema: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
    """What an empty object becomes by the defaults of its fields, so that the schema need not say it twice."""
    fields = schema.get("properties", {})
    given = {name: _without_null(_resolved(field, known)).get("default") for name, field in fields.items()}
    return {name: value for name, value in given.items() if value is not None}


def _without_nothing(schema: dict[str, Any]) -> dict[str, Any]:
    """A default says only what is set."""
    default = schema.get("default")
    if not isinstance(default, dict):
        return schema
    return {**schema, "default": {name: value for name, value in default.items() if value is not None}}


def _described(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    if not schema.get("description"):
        raise ValueError(f"the field {name} has no description")
    return schema
