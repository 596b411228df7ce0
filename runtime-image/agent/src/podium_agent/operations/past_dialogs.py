"""Operations get past dialogs that nobody attends: what is in their way is declined at once, and told beside their answer.

And past a page that closes under them, where the caller named none.

A dialog that comes while something is being done is another matter: whoever did it has to know that it may have been done.
"""

import asyncio
from typing import Final

from pydantic import BaseModel

from podium_agent.dialogs import MOST, Dialogs
from podium_agent.errors import AgentError, PageClosed
from podium_agent.operations.table import Operation, Result
from podium_protocol.errors import AgentErrorCode
from podium_protocol.operations import Action, DismissedDialog, Navigate

__all__ = ["past_dialogs"]

LIMIT: Final = 10.0
"""Seconds for operations that take no time limit."""


async def past_dialogs(operation: Operation, wanted: BaseModel, dialogs: Dialogs) -> tuple[Result, list[DismissedDialog]]:
    """The operation's result, and the dialogs that were declined for it, in their order.

    Raises `AgentError`; DIALOG_OPEN for a dialog that a client attends, that what was done has led to, or that is one of too many.
    """
    clock = asyncio.get_running_loop().time
    begun_at = clock()
    end = begun_at + getattr(wanted, "timeout", LIMIT)
    # Half of the time that is left is the operation's, whatever the dialogs take.
    declined = await dialogs.decline(until=(clock() + end) / 2)
    spent = clock() - begun_at
    if declined:
        wanted = _within(wanted, end - clock())
    while True:
        try:
            return await operation.run(wanted), declined
        except AgentError as error:
            # What only reads can be done again, and so can what had not begun.
            begun = error.details.get("begun", isinstance(wanted, Action | Navigate))
            if declined and error.code is AgentErrorCode.TIMEOUT:
                took = f"{error.message}; the dialogs in its way had taken {spent:.1f} s before"
                raise AgentError(error.code, took, **error.details) from error
            left = MOST - len(declined)
            if begun or left <= 0 or clock() >= end:
                raise
            until = (clock() + end) / 2
            if isinstance(error, PageClosed) and getattr(wanted, "page", None) is None:
                more = []  # the page that is seen now is meant
            elif error.code is not AgentErrorCode.DIALOG_OPEN or not (more := await dialogs.decline(until=until, most=left)):
                raise
            declined += more
            spent = clock() - begun_at
            wanted = _within(wanted, end - clock())


def _within(wanted: BaseModel, seconds: float) -> BaseModel:
    return wanted.model_copy(update={"timeout": seconds}) if "timeout" in type(wanted).model_fields else wanted
