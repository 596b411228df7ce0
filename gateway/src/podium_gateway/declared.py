"""How one setting is declared, read from text, checked and documented; which settings there are is `settings`' business."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final, get_args, get_type_hints

_READERS: Final[dict[type, type]] = {int: int, float: float, str: str, Path: Path}


class SettingsError(ValueError):
    """One or more settings are wrong; the text has a line for each."""


@dataclass(frozen=True, slots=True)
class Setting:
    """Stands in a field's annotation: `warm: Annotated[int, Setting("PODIUM_WARM", "why")] = 1`."""

    env: str
    why: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    derived: str = ""
    """What an empty default becomes, in words."""

    def problem(self, value: object) -> str:
        """What is wrong with the value, or nothing."""
        if self.choices and value not in self.choices:
            return f"{self.env}: one of {', '.join(self.choices)}, not {value!r}"
        # Written so that a NaN is out of bounds.
        if isinstance(value, int | float) and self.low is not None and self.high is not None and not self.low <= value <= self.high:
            return f"{self.env}: from {self.low} to {self.high}, not {value}"
        return ""

    def allowed(self) -> str:
        """The bounds or choices, for people."""
        if self.low is not None:
            return f"{self.low} to {self.high}"
        return ", ".join(f"`{choice}`" for choice in self.choices)

    def default(self, value: object) -> str:
        """The default, for people."""
        if self.derived:
            return self.derived
        text = f"{value:g}" if isinstance(value, float) else f"{value}"
        return f"`{text}`" + (f" {self.unit}" if self.unit else "")


@dataclass(frozen=True, slots=True)
class _Declared:
    name: str
    type: type
    default: object
    setting: Setting


def _declared(of: type[Any]) -> Iterator[_Declared]:
    hints = get_type_hints(of, include_extras=True)
    for field in fields(of):
        plain, setting = get_args(hints[field.name])
        yield _Declared(name=field.name, type=plain, default=field.default, setting=setting)


def given_in(environ: Mapping[str, str], of: type[Any]) -> dict[str, Any]:
    """Constructor arguments for the variables that are set and not empty. Raises `SettingsError`."""
    given: dict[str, Any] = {}
    problems: list[str] = []
    for declared in _declared(of):
        text = environ.get(declared.setting.env, "").strip()
        if not text:
            continue
        try:
            given[declared.name] = _READERS[declared.type](text)
        except ValueError:
            problems.append(f"{declared.setting.env}: {text!r} is not a number")
    if problems:
        raise SettingsError("\n".join(problems))
    return given


def check(settings: Any) -> None:
    """Raises `SettingsError` with every value that is out of its bounds."""
    found = (declared.setting.problem(getattr(settings, declared.name)) for declared in _declared(type(settings)))
    if problems := [problem for problem in found if problem]:
        raise SettingsError("\n".join(problems))


def rows(of: type[Any]) -> Iterator[str]:
    """A Markdown table row for each setting: variable, default, allowed, what for."""
    for declared in _declared(of):
        setting = declared.setting
        yield f"| `{setting.env}` | {setting.default(declared.default)} | {setting.allowed()} | {setting.why} |"
