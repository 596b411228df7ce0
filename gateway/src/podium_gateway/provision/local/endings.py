"""Why an agent's process ended: its exit code says the reason, a note beside its folder the sentence."""

from dataclasses import dataclass
from pathlib import Path
from signal import Signals

from pydantic import BaseModel, ValidationError

from podium_protocol.reasons import EndReason, reason_of_exit

__all__ = ["Exit", "exit_of"]


@dataclass(frozen=True, slots=True)
class Exit:
    """The end of one agent."""

    reason: EndReason
    message: str = ""


class _Note(BaseModel):
    reason: EndReason
    message: str = ""


def exit_of(code: int, note: Path) -> Exit:
    """What `code` (negative for a signal) and the note, where there is one, say."""
    reason = reason_of_exit(code)
    try:
        written = _Note.model_validate_json(note.read_bytes()[:65536])
    except (OSError, ValidationError):
        return Exit(reason, "" if reason is not EndReason.AGENT_CRASHED else _died(code))
    # A killed agent may have written its note before: then the kill came while it was on its way out for that reason.
    return Exit(written.reason, written.message)


def _died(code: int) -> str:
    if code >= 0:
        return f"the browser's agent ended with exit code {code}"
    try:
        name = Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"the browser's agent was killed by {name}"
