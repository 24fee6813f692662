"""Specs as JSON: {"version": 1, "kind": "mlp", "widths": [64, 256, 10], "gamma": 0.2, "init": "default"}.

A ratio given as a Fraction is written as "1/3".
"""

import json
import re
from dataclasses import MISSING, asdict, fields
from fractions import Fraction
from typing import Any, get_args

from kwta.networks.specs import Spec

VERSION = 1
RATIO = re.compile(r"[0-9]+/[1-9][0-9]*")
KINDS: dict[str, type[Spec]] = {spec.kind: spec for spec in get_args(Spec)}


def to_json(spec: Spec) -> str:
    """The spec as one line of JSON; `from_json` reads it back.

    >>> to_json(MLP((2, 8, 2), gamma=0.25))
    '{"version": 1, "kind": "mlp", "widths": [2, 8, 2], "gamma": 0.25, "init": "default"}'
    """
    return json.dumps(to_dict(spec))


def from_json(text: str | bytes) -> Spec:
    """The spec written by `to_json`. Fields with a default may be left out.

    Raises ValueError, naming the value, if the text is no JSON, has another version, an unknown kind, unknown or
    missing fields, or values that the spec refuses.
    """
    return from_dict(parse(text))


def to_dict(spec: Spec) -> dict[str, Any]:
    """The spec as a dictionary of JSON values, version and kind first."""
    entries = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(spec).items()}
    return {"version": VERSION, "kind": entries.pop("kind"), **entries, "gamma": ratios_to_json(spec.gamma)}


def from_dict(entries: object) -> Spec:
    """The spec of a dictionary made by `to_dict`. Raises ValueError as `from_json`."""
    if not isinstance(entries, dict):
        raise ValueError(f"a spec must be a JSON object, got {type(entries).__name__}")
    check_version(entries, VERSION, "spec")
    kind = entries.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise ValueError(f"the kind of a spec must be one of {', '.join(KINDS)}, got {kind!r}")
    cls = KINDS[kind]
    for name in sorted(entries.keys() - {field.name for field in fields(cls)} - {"version"}):
        raise ValueError(f"unknown field {name!r} in a spec of kind {kind}")
    for field in fields(cls):
        if field.default is MISSING and field.name not in entries:
            raise ValueError(f"field {field.name!r} is missing in a spec of kind {kind}")
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in entries.items()}
    del values["version"]
    return cls(**{**values, "gamma": ratios_from_json(entries.get("gamma"))})


def ratios_to_json(gamma: Any) -> Any:
    """γ, or a tuple of them, as JSON: a Fraction becomes "k/n"."""
    if isinstance(gamma, tuple):
        return [ratios_to_json(entry) for entry in gamma]
    return f"{gamma.numerator}/{gamma.denominator}" if isinstance(gamma, Fraction) else gamma


def ratios_from_json(value: Any) -> Any:
    """The inverse of `ratios_to_json`; what is no ratio is left for the spec to refuse."""
    if isinstance(value, list):
        return tuple(ratios_from_json(entry) if isinstance(entry, str) else entry for entry in value)
    return Fraction(value) if isinstance(value, str) and RATIO.fullmatch(value) else value


def check_version(entries: dict, version: int, what: str) -> None:
    """Refuse what a later, unknown version of this library may have written."""
    found = entries.get("version")
    if type(found) is not int or found != version:
        raise ValueError(f"the version of a {what} must be {version}, got {found!r}")


def parse(text: str | bytes) -> object:
    """JSON without its extensions NaN and Infinity. Raises ValueError saying where it is broken."""
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not valid JSON: {error}") from error


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not allowed")
