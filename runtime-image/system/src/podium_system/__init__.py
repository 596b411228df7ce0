"""What gateway and agent both need of the machine beneath them: byte splices, child processes, logs.

This room knows nothing of sessions: it moves bytes, starts and watches processes, and writes log lines.
"""
