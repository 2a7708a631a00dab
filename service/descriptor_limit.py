"""How many connections the operating system lets the process hold."""

import resource

RESERVE = 2_176
"""For files, bundles and logs, and for those that are accepted in one go before the first of them
can be sent away; at most half of what there is."""


def allow_connections(wanted: int) -> int:
    """Raise the limit of open files as far as needed and allowed.

    Beyond it nobody's connection could be accepted until others go.

    Returns:
        How many connections fit, at most `wanted`.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return wanted
    limit = wanted + RESERVE if hard == resource.RLIM_INFINITY else min(wanted + RESERVE, hard)
    if soft < limit:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    files = max(soft, limit)
    return min(wanted, files - min(RESERVE, files // 2))
