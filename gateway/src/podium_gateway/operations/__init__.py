"""What can be done with a session's pages, once for all faces.

`core` runs a typed operation on the session's agent, with its limits and errors, and tells `log`; `details` decides what may be
remembered of it; `readable` makes an article of a page. Faces only translate.
"""
