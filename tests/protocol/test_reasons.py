"""Why a session ended, as an agent's exit code carries it."""

import signal

import pytest

from podium_protocol.errors import STATUS_OF, AgentErrorBody, AgentErrorCode
from podium_protocol.reasons import EXIT_CODES, EndReason, reason_of_exit

TOLD_BY_OTHERS = {EndReason.AGENT_CRASHED, EndReason.NODE_LOST, EndReason.IMAGE_PULL_FAILED, EndReason.QUOTA_EXCEEDED}
"""Reasons an agent cannot give itself: it is no longer there to give one."""


@pytest.mark.parametrize("reason", EXIT_CODES, ids=str)
def test_a_reason_survives_the_way_through_an_exit_code(reason: EndReason):
    assert reason_of_exit(EXIT_CODES[reason]) is reason


def test_every_reason_an_agent_can_give_has_a_code_of_its_own():
    assert set(EXIT_CODES) == set(EndReason) - TOLD_BY_OTHERS
    assert len(set(EXIT_CODES.values())) == len(EXIT_CODES)


@pytest.mark.parametrize(
    "code",
    [
        pytest.param(1, id="an uncaught exception"),
        pytest.param(2, id="wrong arguments"),
        pytest.param(99, id="a code nobody gave out"),
        pytest.param(127, id="no such command, said by a shell"),
        pytest.param(-signal.SIGKILL, id="killed, as subprocess says it"),
        pytest.param(128 + signal.SIGSEGV, id="crashed, as a shell says it"),
    ],
)
def test_any_other_exit_is_a_crash_of_the_agent(code: int):
    assert reason_of_exit(code) is EndReason.AGENT_CRASHED


def test_no_reason_hides_behind_a_code_that_python_or_a_shell_uses():
    assert all(code == 0 or 10 <= code < 126 for code in EXIT_CODES.values())


@pytest.mark.parametrize("code", AgentErrorCode, ids=str)
def test_every_error_code_has_a_status_of_an_error(code: AgentErrorCode):
    assert 400 <= STATUS_OF[code] < 600


def test_an_error_body_reads_back_as_it_was_written():
    body = AgentErrorBody(code=AgentErrorCode.DIALOG_OPEN, message="a dialog is open", details={"text": "Sure?"})
    assert AgentErrorBody.model_validate_json(body.model_dump_json()) == body
