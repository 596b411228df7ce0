"""Fixtures of the gateway's tests; what they are made of is in `support`."""

from support.store import stores

__all__ = ["stores"]
