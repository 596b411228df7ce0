"""The last word to an agent in a pod, and how it is seen that it was heeded."""

import asyncio
import logging
from typing import Final

from podium_gateway.agents import AgentClient
from podium_gateway.errors import PodiumError
from podium_protocol.sessions import EndRequest

__all__ = ["heeded"]

log = logging.getLogger(__name__)

EVERY: Final = 0.05
"""Seconds between two looks; each is one small request inside the cluster."""
ANSWER: Final = 1.0


async def heeded(agent: AgentClient, request: EndRequest, *, limit: float) -> bool:
    """Have the agent save and exit. False when it could not be told, or is still there after `limit` seconds.

    It answers until the last event is delivered. When it does not any more, its process is gone or just about to go: that is
    known here a second or two before the kubelet tells the cluster.
    """
    try:
        await agent.end(request)
        async with asyncio.timeout(limit):
            while await agent.reachable(timeout=ANSWER):  # noqa: ASYNC110 - another machine's process: there is no event
                await asyncio.sleep(EVERY)
    except (PodiumError, TimeoutError) as error:
        log.info("end_not_heeded", extra={"reason": request.reason, "error": repr(error)})
        return False
    return True
