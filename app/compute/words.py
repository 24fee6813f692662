"""What people wrote, as messages repeat it."""


def short(text: str, most: int = 40) -> str:
    """The text in quotes, cut where it is absurdly long.

    >>> short("toaster"), short("toaster", most=5)
    ("'toaster'", "'toast…'")
    """
    return repr(text if len(text) <= most else f"{text[:most]}…")
