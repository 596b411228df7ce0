"""Fixtures of the gateway's tests; what they are made of is in `support`."""

from support.misuse import misused, sender, untouched
from support.store import empty_database_url, stores

__all__ = ["empty_database_url", "misused", "sender", "stores", "untouched"]
