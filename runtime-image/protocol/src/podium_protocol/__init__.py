"""What gateway, operator and agent say to each other, as values.

This room holds no I/O: requests, events, saved state, end reasons and the signature over a routed request.
Whoever changes a model here changes a wire format between processes that may be of different versions.
"""
