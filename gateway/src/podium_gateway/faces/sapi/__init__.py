"""The Sessions API on the same resource as the Remote Browser Service: what a session is, did, wrote and kept."""
