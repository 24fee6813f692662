"""What the views ask for: all caches live here. Cached functions take recipes, never networks or arrays."""


class Unusable(ValueError):
    """A choice that nothing can be computed for. The message is shown as it is: it names the value and what is allowed."""
