"""The Remote Browser Service face: `/api/users/{user_id}/…`, `/api/…`, the DevTools sockets and the live view."""
