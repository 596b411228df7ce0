"""Fixtures of the gateway's tests; what they are made of is in `support`."""

from support.misuse import misused, sender, untouched
from support.store import stores

__all__ = ["misused", "sender", "stores", "untouched"]
