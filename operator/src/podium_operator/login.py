"""How kopf proves who it is: as everybody's clients do, but with the certificates that clusters really have."""

import ssl
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import kopf

__all__ = ["Connection", "login"]


class Connection(kopf.ConnectionInfo):
    """Python 3.13 refuses certificates without an authority key identifier, which clusters' own authorities often leave out."""

    def as_ssl_context(self) -> ssl.SSLContext:
        """See kopf."""
        context = super().as_ssl_context()
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        return context


def login(kubeconfig: Path | None) -> Callable[..., Connection | None]:
    """A login handler: by the kubeconfig that KUBECONFIG names, or with None by the pod's own account."""
    find = kopf.login_with_service_account if kubeconfig is None else kopf.login_with_kubeconfig

    def handler(**arguments: Any) -> Connection | None:
        found = find(**arguments)
        return (
            None
            if found is None
            else Connection(**{field.name: getattr(found, field.name) for field in fields(found) if field.init})
        )

    return handler
