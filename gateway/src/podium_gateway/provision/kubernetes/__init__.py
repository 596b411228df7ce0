"""Browsers as pods: each run is a BrowserSession, and Podium's operator does the rest.

A create is one POST, an end is one word to the agent. What became of either is seen on one watch that all requests share, so
the API server is read for no request. What is kept in memory of a session is small, and only the watch changes it.
"""
