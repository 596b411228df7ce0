"""docs/api.md: the public API on one page, made from the descriptions that the server checks requests with.

What FastAPI cannot know (sockets, what is not there yet) is written in `prose/*.md`.
"""
