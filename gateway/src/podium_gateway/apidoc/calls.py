"""A curl call for each operation, that works as it stands once the two variables at the top of the page are set."""

import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from podium_gateway.apidoc.schemas import Schema, example_of

__all__ = ["SHOWN", "body_schema", "call"]

SHOWN: Final = "x-shown"
"""On the schema of a parameter that may be left out and is in the call all the same, since that needs one of several."""

_FILES: Final = {"image/jpeg": ("raw=true", "page.jpg"), "text/html": ("", "page.html"), "application/octet-stream": ("", "file")}
"""Bytes go to a file, and where there is a choice are asked for."""


def body_schema(operation: Mapping[str, Any]) -> Schema | None:
    """What the operation takes as its body."""
    content = operation.get("requestBody", {}).get("content", {})
    schema: Schema | None = content.get("application/json", {}).get("schema")
    return schema


def call(method: str, path: str, operation: Mapping[str, Any], components: Mapping[str, Schema]) -> str:
    """The command."""
    parameters = operation.get("parameters", [])
    for one in (one for one in parameters if one["in"] == "path"):
        path = path.replace("{" + one["name"] + "}", quote(str(example_of(one["schema"] | _examples(one), components))))
    query = [
        f"{one['name']}={quote(str(example_of(one['schema'] | _examples(one), components)), safe=',')}"
        for one in parameters
        if one["in"] == "query" and (one.get("required") or one["schema"].get(SHOWN))
    ]
    answered = operation["responses"].get("200", {}).get("content", {})
    kept = ""
    for mime, (asked, name) in _FILES.items():
        if mime in answered:
            query += [asked] if asked else []
            kept = f" -o {name}"
            break
    words = ["curl"] + ([f"-X {method}"] if method != "GET" else [])
    url = f'"$PODIUM{path}' + (f"?{'&'.join(query)}" if query else "") + '"'
    lines = [" ".join([*words, url]) + kept]
    if operation.get("security"):
        lines.append('  -H "Authorization: Bearer $KEY"')
    if (schema := body_schema(operation)) is not None:
        lines.append("  -H 'Content-Type: application/json'")
        lines.append(f"  -d '{json.dumps(_chosen(schema, components))}'")
    return " \\\n".join(lines)


def _examples(parameter: Mapping[str, Any]) -> dict[str, Any]:
    return {"examples": parameter["schema"]["examples"]} if parameter["schema"].get("examples") else {}


def _chosen(schema: Schema, components: Mapping[str, Schema]) -> Any:
    """Of several examples of a body the fullest of the first two: an empty one shows nothing."""
    for option in (schema, *schema.get("anyOf", ())):
        name = str(option.get("$ref", "")).rpartition("/")[2]
        if name and (examples := components[name].get("examples")):
            return max(examples[:2], key=lambda one: len(json.dumps(one)))
    return example_of(schema, components)
