"""What the views ask for: all caches live here. Cached functions take recipes, never networks or arrays."""


class Unusable(ValueError):  # noqa: N818 (it names what a person chose, and is shown as a message)
    """A choice that nothing can be computed for. The message is shown as it is: the value and what is allowed."""
