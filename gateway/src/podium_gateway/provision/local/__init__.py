"""Sessions as child processes of the gateway: the embedded default.

It obeys the same limits, timeouts and end reasons as a cluster does: the adapter is the kubelet's part (hard lifetime, start
timeout, death and hang of an agent), the agent keeps its own (idleness, last disconnect).
"""
