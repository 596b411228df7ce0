"""What Podium stores in Kubernetes: the specs and statuses of sessions and pools, their conditions and names."""
