"""What Podium stores in Kubernetes, as values: two kinds, their conditions and reasons, and every name that goes with them.

The models here are the one source: the schemas the API server checks, `docs/crds.md`, and what gateway and operator read and
write all come from them. No I/O in this room.
"""
