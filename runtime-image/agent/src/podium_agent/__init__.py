"""Drives and guards one Chromium: starts it, records it, carries traffic to it, saves it, ends it."""
