"""Fixtures that tests of several packages share; what they are made of is in `support`."""

from support.podium import podium

__all__ = ["podium"]
