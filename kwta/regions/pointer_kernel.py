"""Pointers to arrays inside Numba functions.

An array that is passed to a function costs two changes of its reference count, which are locked, and eight arguments; a
pointer costs one. Pointers have no shape and are never checked: they stay inside a walk, whose arrays outlive it.
"""

from numba import njit, types
from numba.extending import intrinsic


@intrinsic
def _pointer(_context, array):

    def code(context, builder, signature, arguments):
        return context.make_array(signature.args[0])(context, builder, arguments[0]).data

    return types.CPointer(array.dtype)(array), code


@intrinsic
def _shifted(_context, p, n):

    def code(_context, builder, _signature, arguments):
        return builder.gep(arguments[0], [arguments[1]])

    return p(p, n), code


@intrinsic
def _write_word(_context, bytes_, place, word):

    def code(context, builder, _signature, arguments):
        start, place, word = arguments
        builder.store(word, builder.bitcast(builder.gep(start, [place]), word.type.as_pointer())).align = 1
        return context.get_dummy_value()

    return types.none(bytes_, place, word), code


@njit(cache=True, nogil=True)
def pointer(array):
    """The address of the first entry of a contiguous array; read and written as p[i]."""
    return _pointer(array)  # type: ignore[call-arg]  (Numba passes the context)


@njit(cache=True, nogil=True)
def shifted(p, n):
    """The address n entries behind p."""
    return _shifted(p, n)  # type: ignore[call-arg]


@njit(cache=True, nogil=True)
def write_word(bytes_, place, word):
    """Write the eight bytes of a word from a place on, the lowest first."""
    _write_word(bytes_, place, word)  # type: ignore[call-arg]
