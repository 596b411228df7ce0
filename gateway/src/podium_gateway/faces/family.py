"""The two families of paths: `/api/…`, and the same below `/api/users/{user_id}`. A router is made once for each."""

from typing import Any, Final

from fastapi import APIRouter

from podium_gateway.faces.routes import SignedRoute, in_path
from podium_gateway.faces.wire import ErrorBody

__all__ = ["FAULTS", "router"]

FAULTS: Final[dict[int | str, dict[str, Any]]] = {
    400: {"model": ErrorBody, "description": "The request is not valid; the sentence names the field."},
    401: {"model": ErrorBody, "description": "No valid API key."},
    404: {
        "model": ErrorBody,
        "description": "No such session of this caller, or for what needs its browser: it has ended (`session_ended`).",
    },
    413: {"model": ErrorBody, "description": "The body is larger than is allowed."},
}
_OTHERS: Final[dict[int | str, dict[str, Any]]] = {
    403: {"model": ErrorBody, "description": "The user in the path is not the one of the key."}
}


class _Route(SignedRoute):
    """Of the errors that the families have in common, a route names those that it can answer with."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        possible = {**self.responses}
        if self.body_field is None:
            possible.pop(413, None)
            if "{session_id}" not in self.path:
                possible.pop(404, None)
        self.responses = possible


def router(*, user_scoped: bool, tag: str, of: str = "sessions") -> APIRouter:
    """An empty router for one of the two path families."""
    return APIRouter(
        prefix=f"/api/users/{{user_id}}/{of}" if user_scoped else f"/api/{of}",
        tags=[f"{tag} (user in the path)" if user_scoped else tag],
        route_class=_Route,
        dependencies=[in_path] if user_scoped else [],
        responses={**FAULTS, **(_OTHERS if user_scoped else {})},
        generate_unique_id_function=lambda route: f"{route.name}_of_user" if user_scoped else route.name,
    )
