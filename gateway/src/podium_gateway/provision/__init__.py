"""Where sessions run: one port (`port`) and an adapter for each kind of place.

The session core knows only the port. An adapter finds a browser for a run, binds it, watches it and reports its end once.
"""
