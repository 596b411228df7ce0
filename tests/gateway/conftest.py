"""Fixtures of the gateway's tests; what they are made of is in `support`."""

from support.misuse import misused, sender, untouched
from support.store import database_url, databases, empty_database_url, postgres, stores

__all__ = ["database_url", "databases", "empty_database_url", "misused", "postgres", "sender", "stores", "untouched"]
