"""What Podium does to nodes: puts Chromium's seccomp profile on them, labels those that have it, and takes both away again.

A room of its own, and of the standard library alone: it stays on every node for as long as that is there, so it imports neither
an API client (50 MiB) nor anything else of the operator's.
"""
