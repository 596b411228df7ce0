"""The operation core: what faces ask of a browser, done over raw CDP with one place for time limits and errors."""
