"""Turns requests into browser sessions, and carries traffic to them."""
