"""The history of the tables, for Alembic; `Database.open` runs what is missing.

A revision is written by hand, says what it does on both databases, and is never edited once released.
"""
