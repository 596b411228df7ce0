"""What a schema alone cannot say: rules in the API server's own expression language, each with a sentence for who broke it."""

from typing import Any, Final

from podium_crds.objects import Model
from podium_crds.sessions import BrowserSessionSpec

__all__ = ["NAME_RULE", "POOL_RULES", "SESSION_RULES", "Rule"]

Rule = dict[str, Any]


def _optional(name: str) -> str:
    return f"has(self.{name}) == has(oldSelf.{name}) && (!has(self.{name}) || self.{name} == oldSelf.{name})"


def _immutable(model: type[Model], *, but: str) -> list[Rule]:
    names = {info.alias or name: info for name, info in model.model_fields.items()}
    return [
        {
            # A field with a default is always there by the time rules are checked.
            "rule": _optional(name) if info.default is None else f"self.{name} == oldSelf.{name}",
            "message": f"{name} cannot be changed: a BrowserSession is one run of a browser; create another one",
            "fieldPath": f".{name}",
            "reason": "FieldValueForbidden",
        }
        for name, info in names.items()
        if name != but
    ]


NAME_RULE: Final[Rule] = {
    "rule": "self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
    "message": "the name also names a pod: lower case letters, digits and hyphens, not beginning or ending with a hyphen",
}

SESSION_RULES: Final[list[Rule]] = [
    {
        "rule": "!has(oldSelf.extendUntil) || (has(self.extendUntil) && self.extendUntil >= oldSelf.extendUntil)",
        "message": "extendUntil may only be moved forward",
        "fieldPath": ".extendUntil",
    },
    *_immutable(BrowserSessionSpec, but="extendUntil"),
]

POOL_RULES: Final[list[Rule]] = [
    {
        "rule": "!('memory' in self.template.resources.limits) || quantity(string(self.template.shmSize))"
        ".compareTo(quantity(string(self.template.resources.limits['memory']))) <= 0",
        "message": "shmSize must not be larger than the memory limit: /dev/shm is memory and counts in it",
        "fieldPath": ".template.shmSize",
    },
    {
        "rule": "!has(self.template.extraEnv) || self.template.extraEnv.all(variable, !variable.name.startsWith('PODIUM_'))",
        "message": "names that begin with PODIUM_ are the operator's own",
        "fieldPath": ".template.extraEnv",
    },
]
