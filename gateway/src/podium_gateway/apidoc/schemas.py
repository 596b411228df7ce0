"""JSON schemas in words, and example values for them."""

from collections.abc import Mapping
from typing import Any, Final

__all__ = ["Schema", "example_of", "name_of", "row_type", "said"]

Schema = Mapping[str, Any]
_BOUNDS: Final = {
    "minimum": "from {}",
    "exclusiveMinimum": "above {}",
    "maximum": "to {}",
    "exclusiveMaximum": "below {}",
    "maxLength": "at most {} characters",
}
_PLAIN: Final[dict[str, Any]] = {"string": "…", "integer": 0, "number": 0, "boolean": False, "null": None}


def name_of(schema: Schema) -> str:
    """The name of the object that a schema refers to, or nothing."""
    return str(schema.get("$ref", "")).rpartition("/")[2]


def row_type(schema: Schema) -> str:
    """A schema's type with its bounds, for a table cell; objects are links."""
    if name := name_of(schema):
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(row_type(each) for each in schema["anyOf"])
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return ", ".join(f"`{each}`" for each in schema["enum"])
    kind = str(schema.get("type", "any JSON"))
    if kind == "array":
        return f"array of {row_type(schema.get('items', {}))}"
    if "minimum" in schema and "maximum" in schema:
        return f"{kind}, {_number(schema['minimum'])} to {_number(schema['maximum'])}"
    bounds = [words.format(_number(schema[key])) for key, words in _BOUNDS.items() if key in schema]
    return ", ".join([kind, *bounds])


def _number(value: float) -> str:
    return f"{value:,}".removesuffix(".0")


def said(schema: Schema) -> str:
    """What a schema says of itself, or the first of its choices does."""
    choices = (schema, *schema.get("anyOf", ()))
    return next((str(each["description"]) for each in choices if each.get("description")), "")


def example_of(schema: Schema, components: Mapping[str, Schema]) -> Any:
    """A value that fits: the first example that the schema names, else its default, else something of its type."""
    if name := name_of(schema):
        return example_of(components[name], components)
    if examples := schema.get("examples"):
        return examples[0]
    if "const" in schema:
        return schema["const"]
    if "properties" in schema:
        needed = schema.get("required", ())
        # What may be left out and has nothing to show is left out.
        shown = ((name, each) for name, each in schema["properties"].items() if name in needed or each.get("default") != [])
        return {name: example_of(each, components) for name, each in shown}
    if "default" in schema:
        return schema["default"]
    if "anyOf" in schema:
        # What may be null mostly is: an error, an end, a redirect. An example of what is ordinary says so.
        return None if {"type": "null"} in schema["anyOf"] else example_of(schema["anyOf"][0], components)
    if "enum" in schema:
        return schema["enum"][0]
    if schema.get("type") == "array":
        return [example_of(schema.get("items", {}), components)]
    if schema.get("format") == "date-time":
        return "2026-03-01T10:00:00.000Z"
    return _PLAIN.get(str(schema.get("type")), {})
