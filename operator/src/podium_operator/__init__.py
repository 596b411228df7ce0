"""Makes the cluster match its browser sessions and pools.

Level-triggered: watches only put keys on a queue; `decide` modules are pure functions from what is known to what is to be done;
`execute` does it. Whatever is lost on the way (an answer, a watch, this process) is found again by looking at what there is.
"""
