"""Which devices can be chosen, in words."""

from functools import cache

from kwta.devices import available, describe, pick


@cache
def described(name: str) -> str:
    """The device as people know it, such as "auto: CPU, 2 threads"; a name that is no device stays as it is.

    It is looked up once: while a small network is trained torch has fewer threads (`threads.one_thread`).
    """
    try:
        words = describe(pick(name))
    except ValueError:
        return name
    return f"auto: {words}" if name == "auto" else words


__all__ = ["available", "described"]
