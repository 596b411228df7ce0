"""How a process talks to an API server: conditional writes, an informer, a Lease, one tree of errors. Knows nothing of Podium."""
