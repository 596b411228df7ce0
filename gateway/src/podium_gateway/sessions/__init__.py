"""The use cases of a session, whatever face asks and wherever the browser runs.

`lifecycle` decides, `catalog` remembers what lives, `core` acts, `reports` takes in what agents send. No face's wire format
and no provisioner's detail is known here.
"""
