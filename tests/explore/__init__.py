"""`make explore`: random sequences of all that callers can do, on pages that misbehave on purpose, and rules that hold for all.

The generator and the shrinking are a few dozen lines of our own instead of Hypothesis' stateful testing: that one runs one
synchronous sequence after the other and shrinks by hundreds of runs, while here each run costs a real browser, several
sequences share a service, and steps of one sequence overlap.
"""
