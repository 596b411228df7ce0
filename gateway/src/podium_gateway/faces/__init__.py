"""The public APIs. A face translates: it has no session store, no error enum and no way of signing in of its own."""
