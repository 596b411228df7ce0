"""The project's own test cluster, and the tests that need one.

`make cluster` brings up one node of real Kubernetes without Docker: its programs are built from the Go modules pinned in
`modules/`, containerd and runc come from the distribution, and everything runs as processes of this machine, which is the
node. `kind` is the other provider behind the same port. Run as `python -m cluster` with `tests` on the path.
"""
