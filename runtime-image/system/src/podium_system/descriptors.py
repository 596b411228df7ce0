"""How many files and sockets this process may have open at once."""

import resource
import sys

__all__ = ["descriptors"]


def descriptors(*, most: int = 0) -> int:
    """The limit, after it was raised towards `most` as far as may be; children get what their parent has."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    soft, ceiling = (sys.maxsize if limit == resource.RLIM_INFINITY else limit for limit in (soft, hard))
    wanted = min(most, ceiling)
    if wanted > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return max(soft, wanted)
