"""What people read of a session: console, network, navigations, actions. Each is a pure function from stored events to entries.

None of them is a store of its own; `store.excerpts` finds the events of one page, these say what they mean.
"""
