"""For whoever runs the service: is it well, and what does it count. Both answer without a key and name nobody."""

from typing import Literal

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse, Response
from pydantic import BaseModel, Field

from podium_gateway.faces.context import Service

__all__ = ["Health", "Readiness", "system"]


class Health(BaseModel):
    """The service as a whole."""

    status: Literal["healthy"] = "healthy"
    service: Literal["remote-browser-service"] = "remote-browser-service"
    active_sessions: int = Field(description="Live sessions of all users.", examples=[2])


class Readiness(BaseModel):
    """Whether a load balancer should send requests here."""

    ready: bool


def system() -> APIRouter:
    """The routes."""
    routes = APIRouter(tags=["System"])

    @routes.get("/health", summary="Is the service well")
    async def health(parts: Service) -> Health:
        """Answers as long as the service takes requests."""
        return Health(active_sessions=parts.sessions.count())

    @routes.get("/ready", summary="May requests be sent here", responses={503: {"model": Readiness, "description": "Not now."}})
    async def ready(parts: Service, response: Response) -> Readiness:
        """Whether sessions can be made and found: not before the first look at the cluster, nor once it stops.

        An outage of the cluster's API server does not change the answer: sessions that run go on.
        """
        if parts.sessions.taking():
            return Readiness(ready=True)
        response.status_code = 503
        return Readiness(ready=False)

    @routes.get(
        "/metrics",
        summary="Numbers for Prometheus",
        response_class=PlainTextResponse,
        responses={200: {"description": "Prometheus text format."}},
    )
    async def metrics(parts: Service) -> Response:
        """Prometheus text format."""
        return Response(parts.metrics.page(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return routes
