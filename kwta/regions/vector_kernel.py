"""Arithmetic in vector registers that the compiler does not find by itself: Numba functions, vectors written out.

A map has three rows a, b, c over the units of a layer: y = a t₀ + b t₁ + c. A block of it stays in registers while all
units that enter it are added, or while it is evaluated at all vertices of a polygon: each weight is read once for all
three rows, and the map is read and written once. Left to itself the compiler reads and writes it for every few units,
because it cannot know that the arrays do not overlap. Nor does it look for the lowest of many numbers in vectors.

A set of units is bits in words of 64, the lowest first, so that a byte is the mask of a vector. Rows and sets are read
in whole vectors, beyond their n units too: there a set has none, and the numbers must be −BIG, or 0 for `largest`.
"""

from sys import float_info

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from kwta.regions.pointer_kernel import shifted

LANES = 8  # numbers in a vector; the compiler splits vectors that the processor lacks
FAST = ("nnan", "ninf", "nsz", "contract")
WHOLE = ir.IntType(64)
LANE = ir.VectorType(ir.DoubleType(), LANES)
MASK = ir.VectorType(ir.IntType(1), LANES)
BIG = float_info.max  # instead of infinity, which fast arithmetic excludes


def _number(n):
    return ir.Constant(WHOLE, n)


def _read(builder, start, place):
    """LANES numbers from an address on, which need not be aligned."""
    vector = builder.load(builder.bitcast(builder.gep(start, [place]), LANE.as_pointer()))
    vector.align = 8
    return vector


def _write(builder, vector, start, place):
    stored = builder.store(vector, builder.bitcast(builder.gep(start, [place]), LANE.as_pointer()))
    stored.align = 8


def _constant(number):
    """A known number in all lanes."""
    return ir.Constant(LANE, [number] * LANES)


def _filled(builder, number):
    """The number in all lanes."""
    nothing, zero = ir.Constant(LANE, ir.Undefined), ir.Constant(ir.IntType(32), 0)
    single = builder.insert_element(nothing, number, zero)
    return builder.shuffle_vector(single, nothing, ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES))


def _spread(builder, start, place):
    """The number at an address in all lanes."""
    return _filled(builder, builder.load(builder.gep(start, [place])))


def _fused(builder, a, b, c, add="fadd"):
    """c ± a b."""
    return getattr(builder, add)(c, builder.fmul(a, b, flags=FAST), flags=FAST)


def _better(builder, order, value, before):
    """The lower ("<") or the higher (">") of two, lane by lane."""
    return builder.select(builder.fcmp_ordered(order, value, before, flags=FAST), value, before)


def _best(builder, order, end):
    """The lowest or the highest of all lanes of a vector at an address."""
    name = f"llvm.vector.reduce.{'fmin' if order == '<' else 'fmax'}.v{LANES}f64"
    reduce = cgutils.get_or_insert_function(builder.module, ir.FunctionType(ir.DoubleType(), [LANE]), name)
    return builder.call(reduce, [builder.load(end)], fastmath=FAST)


def _started(builder, number):
    """The address of a vector that starts with this number in all lanes."""
    address = cgutils.alloca_once(builder, LANE)
    builder.store(_constant(number), address)
    return address


def _keep(builder, order, value, end):
    """Keep the better of a vector and that at an address there."""
    builder.store(_better(builder, order, value, builder.load(end)), end)


def _adding(vectors):
    """A function that adds units to `vectors` · LANES columns of a map."""

    def code(context, builder, _signature, arguments):
        target, source, y, wide, units, plus, minus, weights, stride = arguments
        places = [_number(LANES * v) for v in range(vectors)]
        rows = (_number(0), wide, builder.add(wide, wide))
        sums = [[cgutils.alloca_once(builder, LANE) for _ in places] for _ in rows]
        for row, totals in zip(rows, sums, strict=True):
            for place, total in zip(places, totals, strict=True):
                builder.store(_read(builder, source, builder.add(row, place)), total)
        for first, last, add in ((_number(0), plus, "fadd"), (plus, builder.add(plus, minus), "fsub")):
            with cgutils.for_range_slice(builder, first, last, _number(1), WHOLE) as (index, _):
                unit = builder.load(builder.gep(units, [index]))
                start = builder.gep(weights, [builder.mul(unit, stride)])
                columns = [_read(builder, start, place) for place in places]
                for row, totals in zip(rows, sums, strict=True):
                    factor = _spread(builder, y, builder.add(row, unit))
                    for total, column in zip(totals, columns, strict=True):
                        builder.store(_fused(builder, factor, column, builder.load(total), add), total)
        for row, totals in zip(rows, sums, strict=True):
            for place, total in zip(places, totals, strict=True):
                _write(builder, builder.load(total), target, builder.add(row, place))
        return context.get_dummy_value()

    @intrinsic
    def add(_context, target, source, y, wide, units, plus, minus, weights, stride):  # noqa: ARG001
        whole = types.int64
        return types.none(target, source, y, whole, units, whole, whole, weights, whole), code

    return add


def _bounding(vectors):
    """A function that finds the lowest and highest y of `vectors` · LANES units at the vertices of a polygon."""

    def code(context, builder, _signature, arguments):
        y, wide, vertices, m, low, high = arguments
        places = [_number(LANES * v) for v in range(vectors)]
        rows = (_number(0), wide, builder.add(wide, wide))
        maps = [[_read(builder, y, builder.add(row, place)) for row in rows] for place in places]
        ends = [(_started(builder, BIG), _started(builder, -BIG)) for _ in places]
        with cgutils.for_range_slice(builder, _number(0), builder.add(m, m), _number(2), WHOLE) as (at, _):
            x, z = _spread(builder, vertices, at), _spread(builder, vertices, builder.add(at, _number(1)))
            for (a, b, c), pair in zip(maps, ends, strict=True):
                value = _fused(builder, a, x, _fused(builder, b, z, c))
                for end, order in zip(pair, "<>", strict=True):
                    _keep(builder, order, value, end)
        for place, (lowest, highest) in zip(places, ends, strict=True):
            _write(builder, builder.load(lowest), low, place)
            _write(builder, builder.load(highest), high, place)
        return context.get_dummy_value()

    @intrinsic
    def bound(_context, y, wide, vertices, m, low, high):  # noqa: ARG001
        return types.none(y, types.int64, vertices, types.int64, low, high), code

    return bound


def _parting(is_evaluated):
    """A function that finds the lowest of n numbers in a set, and the highest of others outside it.

    Where evaluated, both are y at a point, which is written.
    """

    def code(_context, builder, _signature, arguments):
        low, high, words, n = arguments[:4]
        if is_evaluated:
            y, wide, *point = arguments[4:]
            rows = (_number(0), wide, builder.add(wide, wide))
            x, z = (_filled(builder, t) for t in point)
        lowest, highest = _started(builder, BIG), _started(builder, -BIG)
        sets = builder.bitcast(words, ir.IntType(LANES).as_pointer())
        with cgutils.for_range_slice(builder, _number(0), n, _number(LANES), WHOLE) as (place, _):
            if is_evaluated:
                a, b, c = (_read(builder, y, builder.add(row, place)) for row in rows)
                inside = outside = _fused(builder, a, x, _fused(builder, b, z, c))
                _write(builder, inside, low, place)
            else:
                inside, outside = _read(builder, low, place), _read(builder, high, place)
            mask = builder.load(builder.gep(sets, [builder.udiv(place, _number(LANES))]))
            mask = builder.bitcast(mask, MASK)
            _keep(builder, "<", builder.select(mask, inside, _constant(BIG)), lowest)
            _keep(builder, ">", builder.select(mask, _constant(-BIG), outside), highest)
        return cgutils.pack_array(builder, [_best(builder, "<", lowest), _best(builder, ">", highest)])

    ends = types.UniTuple(types.float64, 2)
    whole, number = types.int64, types.float64

    @intrinsic
    def part(_context, low, high, words, n):  # noqa: ARG001
        return ends(low, high, words, whole), code

    @intrinsic
    def part_at(_context, low, high, words, n, y, wide, t0, t1):  # noqa: ARG001
        return ends(low, high, words, whole, y, whole, number, number), code

    return part_at if is_evaluated else part


def _bits(builder, order, value, bound):
    """Which lanes of a vector lie below ("<") or above (">") those of another, as the low bits of a number."""
    mask = builder.fcmp_ordered(order, value, bound, flags=FAST)
    return builder.zext(builder.bitcast(mask, ir.IntType(LANES)), WHOLE)


def _comparing(order):
    """A function that tells which of the numbers from a place on lie below (above) a bound, as bits."""

    def code(_context, builder, _signature, arguments):
        values, place, bound = arguments
        return _bits(builder, order, _read(builder, values, place), _filled(builder, bound))

    @intrinsic
    def compare(_context, values, place, bound):  # noqa: ARG001
        return types.int64(values, types.int64, types.float64), code

    return compare


@intrinsic
def _largest(_context, low, high, n):  # noqa: ARG001

    def code(_context, builder, _signature, arguments):
        low, high, n = arguments
        end = _started(builder, 0.0)
        with cgutils.for_range_slice(builder, _number(0), n, _number(LANES), WHOLE) as (place, _):
            _keep(builder, ">", builder.fneg(_read(builder, low, place)), end)
            _keep(builder, ">", _read(builder, high, place), end)
        return _best(builder, ">", end)

    return types.float64(low, high, types.int64), code


@intrinsic
def _signs(_context, y, wide, vertices, m, tol):  # noqa: ARG001

    def code(_context, builder, _signature, arguments):
        y, wide, vertices, m, tol = arguments
        a, b, c = (_read(builder, y, row) for row in (_number(0), wide, builder.add(wide, wide)))
        lowest, highest = _started(builder, BIG), _started(builder, -BIG)
        with cgutils.for_range_slice(builder, _number(0), builder.add(m, m), _number(2), WHOLE) as (at, _):
            x, z = _spread(builder, vertices, at), _spread(builder, vertices, builder.add(at, _number(1)))
            value = _fused(builder, a, x, _fused(builder, b, z, c))
            _keep(builder, "<", value, lowest)
            _keep(builder, ">", value, highest)
        above, below = _filled(builder, tol), _filled(builder, builder.fneg(tol))
        negative = _bits(builder, "<", builder.load(lowest), below)
        positive = _bits(builder, ">", builder.load(highest), above)
        return cgutils.pack_array(builder, [negative, positive])

    return types.UniTuple(types.int64, 2)(y, types.int64, vertices, types.int64, types.float64), code


@intrinsic
def _exceeding(_context, values, n, bound):  # noqa: ARG001

    def code(_context, builder, _signature, arguments):
        values, n, bound = arguments
        least, count = _filled(builder, bound), cgutils.alloca_once_value(builder, _number(0))
        with cgutils.for_range_slice(builder, _number(0), n, _number(LANES), WHOLE) as (place, _):
            here = builder.ctpop(_bits(builder, ">", _read(builder, values, place), least))
            builder.store(builder.add(builder.load(count), here), count)
        return builder.load(count)

    return types.int64(values, types.int64, types.float64), code


@intrinsic
def _first(_context, bits):  # noqa: ARG001

    def code(_context, builder, _signature, arguments):
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.int64), code


ADD_ONE, ADD_FOUR = _adding(1), _adding(4)
BOUND_ONE, BOUND_FOUR = _bounding(1), _bounding(4)
PART, PART_AT = _parting(False), _parting(True)
BELOW, ABOVE = _comparing("<"), _comparing(">")


@njit(cache=True, nogil=True)
def combine(target, source, y, wide, units, plus, minus, weights, n):
    """Map target = map source + Σ w ⊗ y over the first `plus` listed units − Σ over the next `minus`.

    n: columns, a multiple of LANES; unit i has the weights w from weights + i n on. The maps may be the same.
    """
    o = 0
    while o + 4 * LANES <= n:
        to, of, w = shifted(target, o), shifted(source, o), shifted(weights, o)
        ADD_FOUR(to, of, y, wide, units, plus, minus, w, n)  # type: ignore[call-arg]  (Numba passes the context)
        o += 4 * LANES
    while o < n:
        to, of, w = shifted(target, o), shifted(source, o), shifted(weights, o)
        ADD_ONE(to, of, y, wide, units, plus, minus, w, n)  # type: ignore[call-arg]
        o += LANES


@njit(cache=True, nogil=True)
def bound(y, wide, n, vertices, m, low, high):
    """The lowest and highest y of n units at m vertices. Rows are read and written in whole vectors, beyond n too."""
    i = 0
    while i + 4 * LANES <= n:
        BOUND_FOUR(shifted(y, i), wide, vertices, m, shifted(low, i), shifted(high, i))  # type: ignore[call-arg]
        i += 4 * LANES
    while i < n:
        BOUND_ONE(shifted(y, i), wide, vertices, m, shifted(low, i), shifted(high, i))  # type: ignore[call-arg]
        i += LANES


@njit(cache=True, nogil=True)
def parted(low, high, words, n):
    """The lowest `low` of a set of n units, and the highest `high` of the others."""
    return PART(low, high, words, n)  # type: ignore[call-arg]


@njit(cache=True, nogil=True)
def parted_at(y, wide, words, n, t0, t1, values):
    """Write y of n units at a point; returns the lowest of a set, and the highest of the others."""
    return PART_AT(values, values, words, n, y, wide, t0, t1)  # type: ignore[call-arg]


@njit(cache=True, nogil=True)
def below(values, place, bound):
    """The bits of those of the LANES numbers from a place on that lie below the bound."""
    return BELOW(values, place, bound)  # type: ignore[call-arg]


@njit(cache=True, nogil=True)
def above(values, place, bound):
    """The bits of those of the LANES numbers from a place on that lie above the bound."""
    return ABOVE(values, place, bound)  # type: ignore[call-arg]


@njit(cache=True, nogil=True)
def signs(y, wide, vertices, m, tol):
    """Which of the first LANES units are negative, which positive, at some of m vertices: two sets of bits."""
    return _signs(y, wide, vertices, m, tol)  # type: ignore[call-arg]


@njit(cache=True, nogil=True)
def exceeding(values, n, bound):
    """How many of n numbers lie above the bound."""
    return _exceeding(values, n, bound)  # type: ignore[call-arg]


@njit(cache=True, nogil=True)
def largest(low, high, n):
    """The largest |number| between −low and high."""
    return _largest(low, high, n)  # type: ignore[call-arg]


@njit(cache=True, nogil=True)
def first(bits):
    """The lowest bit that is set, 64 of 0."""
    return _first(bits)  # type: ignore[call-arg]


@njit(cache=True, nogil=True)
def list_new(words, others, n, listed):
    """List the units of a set of n that are not in another; their number."""
    count = 0
    for w in range((n + 63) >> 6):
        bits = words[w] & ~others[w]
        while bits:
            listed[count] = 64 * w + first(bits)
            count += 1
            bits &= bits - 1
    return count


@njit(cache=True, nogil=True)
def list_bits(words, n, listed):
    """List the units of a set of n; their number."""
    count = 0
    for w in range((n + 63) >> 6):
        bits = words[w]
        while bits:
            listed[count] = 64 * w + first(bits)
            count += 1
            bits &= bits - 1
    return count
