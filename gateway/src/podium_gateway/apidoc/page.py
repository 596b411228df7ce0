"""The page: contents, each endpoint with both its spellings, the objects, the errors."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from podium_gateway.apidoc.calls import body_schema, call
from podium_gateway.apidoc.schemas import Schema, example_of, name_of, row_type, said
from podium_gateway.apidoc.sections import ENDING, SECTIONS, SOCKETS, prose
from podium_gateway.errors import Internal, KeyNotFound, PodiumError, StaleRun, UserExists, UserNotFound
from podium_gateway.faces.rendering import rendered
from podium_system.bounds import MAX_FIELDS, MAX_HEAD, Bounds

__all__ = ["Endpoint", "endpoints", "page"]

_SESSION: Final = "/api/sessions/{session_id}"
_USER: Final = "/api/users/{user_id}"
_INSIDE: Final = (Internal, KeyNotFound, StaleRun, UserExists, UserNotFound)
"""Errors of the command line and of agents; `Internal` reads like its root."""
_UNSAID: Final = "Successful Response"
"""FastAPI's words where a route has none; the object's own are better."""
_LONGEST: Final = 2400
"""Characters of an example answer; a longer one says less than its table."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One operation, with the path that has the user in it where there is one."""

    method: str
    path: str
    also: str | None
    operation: Mapping[str, Any]

    @property
    def title(self) -> str:
        """As the headings say it."""
        return f"{self.method} {self.path}"

    @property
    def section(self) -> str:
        """Its tag, but for the end of a session: who runs the page's calls from top to bottom ends it behind what needs it."""
        return ENDING if self.title == f"DELETE {_SESSION}" else str(self.operation["tags"][0])


def endpoints(api: Mapping[str, Any]) -> list[Endpoint]:
    """All operations in the order of the routes; the ones with the user in the path belong to those without."""
    paths = api["paths"]
    return [
        Endpoint(method.upper(), path, _spelled_with_user(path, paths), operation)
        for path, methods in paths.items()
        if not path.startswith(_USER)
        for method, operation in methods.items()
    ]


def _spelled_with_user(path: str, paths: Mapping[str, Any]) -> str | None:
    other = path.replace("/api", _USER, 1)
    return other if path.startswith("/api/") and other in paths else None


def page(api: Mapping[str, Any]) -> str:
    """The whole of docs/api.md."""
    components: Mapping[str, Schema] = api["components"]["schemas"]
    found = endpoints(api)
    lines = [prose("head"), "", *_contents(found)]
    for tag, (title, words) in SECTIONS.items():
        lines += ["", f"## {title}", "", words]
        for one in found:
            if one.section == tag:
                lines += ["", *_endpoint(one, components)]
        if tag in SOCKETS:
            lines += ["", prose(SOCKETS[tag])]
    lines += ["", *_errors(), "", prose("absent"), "", *_objects(components)]
    return "\n".join(lines).rstrip() + "\n"


def _contents(found: list[Endpoint]) -> Iterator[str]:
    yield "| | |"
    yield "|---|---|"
    for tag, (title, _) in SECTIONS.items():
        for one in found:
            if one.section == tag:
                yield f"| [`{one.title}`](#{_anchor(one.title)}) | {one.operation['summary']} |"
        if tag in SOCKETS:
            yield f"| [sockets](#{_anchor(title)}) | {title} |"


def _anchor(title: str) -> str:
    kept = [letter for letter in title.lower() if letter.isalnum() or letter in " -_"]
    return "".join(kept).replace(" ", "-")


def _endpoint(one: Endpoint, components: Mapping[str, Schema]) -> Iterator[str]:
    yield f"### {one.title}"
    yield ""
    yield f"**{one.operation['summary']}.** {_joined(one.operation['description'])}"
    if one.also:
        yield ""
        yield f"Also `{one.method} {one.also}`, with the caller's own user id."
    yield ""
    yield "```sh"
    yield call(one.method, one.path, one.operation, components)
    yield "```"
    parameters = list(_parameters(one, components))
    if parameters:
        yield ""
        yield "| parameter | in | type | what for |"
        yield "|---|---|---|---|"
        yield from parameters
    yield ""
    yield "| status | body | when |"
    yield "|---|---|---|"
    yield from _answers(one.operation, components)
    example = _example(one.operation, components)
    if example:
        yield ""
        yield "```json"
        yield example
        yield "```"


def _parameters(one: Endpoint, components: Mapping[str, Schema]) -> Iterator[str]:
    for each in one.operation.get("parameters", []):
        schema = each["schema"]
        yield _row(
            f"`{each['name']}`", each["in"], _typed(schema, required=each.get("required", False)), each.get("description", "")
        )
    schema = body_schema(one.operation)
    for option in () if schema is None else (schema, *schema.get("anyOf", ())):
        if name := name_of(option):
            yield from _fields(components[name], components, prefix="", place="body")


def _fields(schema: Schema, components: Mapping[str, Schema], *, prefix: str, place: str) -> Iterator[str]:
    for name, each in schema.get("properties", {}).items():
        required = name in schema.get("required", ())
        yield _row(f"`{prefix}{name}`", place, _typed(each, required=required), said(each))
        for option in (each, *each.get("anyOf", ())):
            if inner := name_of(option):
                yield from _fields(components[inner], components, prefix=f"{prefix}{name}.", place=place)


def _typed(schema: Schema, *, required: bool) -> str:
    # That what may be left out may be null as well goes without saying.
    words = row_type(schema).removesuffix(" or null")
    if required:
        return f"{words}; required"
    default = schema.get("default")
    return words if default is None else f"{words}; default `{json.dumps(default)}`"


def _answers(operation: Mapping[str, Any], components: Mapping[str, Schema]) -> Iterator[str]:
    for status, answer in sorted(operation["responses"].items()):
        contents = answer.get("content", {})
        kinds = [
            row_type(content["schema"]) if name_of(content.get("schema", {})) else f"`{mime}`" for mime, content in contents.items()
        ]
        said = answer["description"]
        if said == _UNSAID:
            names = [name for content in contents.values() if (name := name_of(content.get("schema", {})))]
            said = components[names[0]]["description"] if names else ""
        yield _row(status, " or ".join(dict.fromkeys(kinds)), said)


def _example(operation: Mapping[str, Any], components: Mapping[str, Schema]) -> str:
    schema = operation["responses"].get("200", {}).get("content", {}).get("application/json", {}).get("schema")
    if not schema:
        return ""
    text = json.dumps(example_of(schema, components), indent=2, ensure_ascii=False)
    return text if len(text) <= _LONGEST else ""


def _objects(components: Mapping[str, Schema]) -> Iterator[str]:
    yield "## Objects"
    for name, schema in sorted(components.items()):
        yield ""
        yield f"### {name}"
        yield ""
        yield _joined(schema.get("description", ""))
        if "properties" in schema:
            yield ""
            yield "| field | type | what it says |"
            yield "|---|---|---|"
            for field, each in schema["properties"].items():
                yield _row(f"`{field}`", row_type(each), said(each) or _shown(each))
        elif "enum" in schema:
            yield ""
            yield ", ".join(f"`{each}`" for each in schema["enum"])


def _shown(schema: Schema) -> str:
    """A value says what a name does not."""
    examples = schema.get("examples") or ([schema["default"]] if schema.get("default") else [])
    return f"For example `{json.dumps(examples[0], ensure_ascii=False)}`." if examples else ""


def _errors() -> Iterator[str]:
    yield "## Errors"
    yield ""
    shape = '{"detail": "a sentence", "code": "a_stable_word"}'
    yield f"Every error is `{shape}`, some with `details`. 429 and 503 carry `Retry-After` in seconds."
    yield ""
    yield (
        f"A request whose head has more than {MAX_HEAD >> 10} KiB or {MAX_FIELDS} fields is 431, one whose head does not arrive in"
        f" {Bounds(connections=1).head:g} seconds 408, and what is no HTTP 400, all with `invalid_request`."
    )
    yield ""
    yield "| status | code | when |"
    yield "|---|---|---|"
    told = [(rendered(kind()).status_code, kind) for kind in _tree(PodiumError) if kind not in _INSIDE]
    for status, kind in sorted(told, key=lambda one: (one[0], one[1].code)):
        yield _row(str(status), f"`{kind.code}`", _joined(kind.__doc__ or ""))


def _tree(kind: type[PodiumError]) -> Iterator[type[PodiumError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from _tree(below)


def _row(*cells: str) -> str:
    return "| " + " | ".join(_joined(cell).replace("|", "\\|") for cell in cells) + " |"


def _joined(text: str) -> str:
    return " ".join(text.split())
