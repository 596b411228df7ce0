"""Who is asking: one `Caller` comes out of this room, however it was proven and whatever the face."""
