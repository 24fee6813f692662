"""Which devices can be chosen, in words."""

from kwta.devices import available, describe, pick


def described(name: str) -> str:
    """The device as people know it, such as "auto: CPU, 2 threads"; a name that is no device stays as it is."""
    try:
        words = describe(pick(name))
    except ValueError:
        return name
    return f"auto: {words}" if name == "auto" else words


__all__ = ["available", "described"]
