"""`python -m podium_crds.reference` prints docs/crds.md: every field, condition, reason and rule, from the definitions."""

import inspect
import itertools
import sys
from collections.abc import Iterator
from enum import StrEnum
from typing import Any, Final

from podium_crds.definitions import DEFINITIONS
from podium_crds.names import PLURAL_POOL, PLURAL_SESSION
from podium_crds.phase import Phase
from podium_crds.reasons import PoolCondition, PoolReason, SandboxReason, SessionCondition, WaitReason

__all__ = ["page"]

INTRODUCTION: Final = """\
# Resources

Made from `podium_crds` by `make generate`. Group `podium.dev`, version `v1alpha1`, namespaced.

A person with kubectl needs nothing else of Podium's API:

```console
$ kubectl apply -f - <<'EOF'
apiVersion: podium.dev/v1alpha1
kind: BrowserSession
metadata: {name: hello}
spec:
  browser: {startUrl: "https://example.com"}
EOF
$ kubectl wait --for=condition=Ready browsersession/hello
$ kubectl port-forward "pod/$(kubectl get bses hello -o jsonpath='{.status.podName}')" 9222:6566
$ kubectl delete bses hello
```

Conditions are the truth; `phase` is a summary of them for people, and no program should branch on it. Wait for
`kubectl wait --for=condition=Ready` or `--for=condition=Ended`. Several kinds together: `kubectl get podium`.
"""


def page() -> str:
    """The whole page."""
    return "\n".join(_page())


def _page() -> Iterator[str]:
    yield INTRODUCTION
    yield from _kind(PLURAL_SESSION)
    yield "### Conditions\n"
    yield from _words(SessionCondition)
    yield "\nReasons of conditions that are not true, or of Ready itself:\n"
    yield from _words(WaitReason)
    yield "\nReasons of Sandboxed:\n"
    yield from _words(SandboxReason)
    yield "\nReasons of Ended are the end reasons of the REST interface.\n"
    yield "### Phases\n"
    yield from _words(Phase)
    yield ""
    yield from _kind(PLURAL_POOL)
    yield "### Conditions of a pool\n"
    yield from _words(PoolCondition)
    yield "\nTheir reasons:\n"
    yield from _words(PoolReason)
    yield ""


def _kind(plural: str) -> Iterator[str]:
    spec = DEFINITIONS[plural]["spec"]
    (version,) = spec["versions"]
    schema = version["schema"]["openAPIV3Schema"]
    yield f"## {spec['names']['kind']}\n"
    yield f"{schema['description']} Short name `{spec['names']['shortNames'][0]}`.\n"
    for part in ("spec", "status"):
        field = schema["properties"][part]
        yield f"### {spec['names']['kind']} {part}\n\n{field['description']}\n"
        yield "| field | type | default | |\n|---|---|---|---|"
        yield from _fields(field, "")
        yield ""
    # One line for all that says the same of another field.
    rules = dict.fromkeys(
        rule["message"].replace(f"{rule['fieldPath'][1:]} cannot", "a field but extendUntil cannot")
        for rule in schema["properties"]["spec"]["x-kubernetes-validations"]
    )
    yield "Refused by the API server with these words:\n"
    yield from (f"- {message}" for message in [schema["x-kubernetes-validations"][0]["message"], *rules])
    columns = version["additionalPrinterColumns"]
    usual = ", ".join(column["name"] for column in columns if not column.get("priority"))
    wide = ", ".join(column["name"] for column in columns if column.get("priority"))
    selectable = ", ".join(f"`{field['jsonPath'][1:]}`" for field in version["selectableFields"])
    yield f"\n`kubectl get` shows {usual}; with `-o wide` also {wide}. `--field-selector` takes {selectable}.\n"


def _fields(schema: dict[str, Any], prefix: str) -> Iterator[str]:
    required = schema.get("required", [])
    for name, field in schema.get("properties", {}).items():
        path = f"{prefix}{name}"
        default = "required" if name in required else _default(field)
        yield f"| `{path}` | {_type(field)} | {default} | {field['description']} |"
        yield from _fields(field, f"{path}.")
        if isinstance(field.get("items"), dict):
            yield from _fields(field["items"], f"{path}[].")


def _default(field: dict[str, Any]) -> str:
    value = field.get("default")
    return "" if value in (None, {}, "") else f"`{value}`".replace("'", '"').replace("False", "false").replace("True", "true")


def _type(field: dict[str, Any]) -> str:
    if "enum" in field:
        return ", ".join(field["enum"])
    if field.get("x-kubernetes-int-or-string"):
        return "quantity"
    if field.get("format") == "date-time":
        return "time"
    if "additionalProperties" in field:
        return f"map of {_type(field['additionalProperties'])}"
    if field["type"] == "array":
        return f"list of {_type(field['items'])}"
    if "minimum" in field and "maximum" in field:
        return f"{field['type']}, {field['minimum']} to {field['maximum']}"
    return str(field["type"])


def _words(words: type[StrEnum]) -> Iterator[str]:
    notes = _notes(words)
    for word in words:
        note = notes.get(word.name)
        yield f"- `{word.value}`" + (f": {note}" if note else "")


def _notes(words: type[StrEnum]) -> dict[str, str]:
    """The docstrings below an enum's members, which Python itself does not keep."""
    lines = [line.strip() for line in inspect.getsource(words).splitlines()]
    return {
        line.split(" = ")[0]: following.strip('"').rstrip(".")
        for line, following in itertools.pairwise(lines)
        if " = " in line and following.startswith('"""')
    }


if __name__ == "__main__":
    sys.stdout.write(page())
