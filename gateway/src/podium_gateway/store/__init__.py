"""What outlives a process: users and keys, sessions with their runs, events, artifacts and saved states.

Each module is one kind of thing and takes a `Database`; every statement is portable SQLAlchemy Core, SQLite by default and
PostgreSQL in production. Times are aware and UTC, and come in as values. Nothing here knows HTTP or a browser.
"""
