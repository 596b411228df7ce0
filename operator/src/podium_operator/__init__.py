"""The operator: makes the cluster match its browser sessions and pools."""
