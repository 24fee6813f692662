"""What a checkpoint says about a network beside its weights, as JSON.

{"version": 1, "kwta": "0.1.0", "spec": {...}, "seed": 0, "dtype": "float32", "gammas": [0.1, 0.1], "record": {...}}

gammas are the current ones, which annealing may have moved away from those of the spec. seed is null for given weights.
"""

import json
from typing import Any

import torch
from torch import nn

from kwta import __version__
from kwta.networks.hidden import gammas_of, hidden, set_gamma
from kwta.networks.json_form import check_version, from_dict, ratios_from_json, ratios_to_json, to_dict
from kwta.networks.network import Network, unfilled
from kwta.networks.specs import check_ratios

VERSION = 1
FIELDS = ("version", "kwta", "spec", "seed", "dtype", "gammas", "record")
DTYPES = {"float32": torch.float32, "float64": torch.float64}


def header_of(net: nn.Module, record: dict[str, Any] | None) -> dict[str, Any]:
    """The header of a network; `record` stands in for `net.record` if given.

    Raises ValueError if the network has no spec, mixes dtypes or has another than float32 or float64, or the record is
    not made of JSON values.
    """
    if not isinstance(net, Network) or net.spec is None:
        raise ValueError(f"only networks made from a spec or from arrays can be saved, got {type(net).__name__}")
    header = {
        "version": VERSION,
        "kwta": __version__,
        "spec": to_dict(net.spec),
        "seed": net.seed,
        "dtype": _dtype_name(net),
        "gammas": ratios_to_json(gammas_of(net)),
        "record": net.record if record is None else record,
    }
    try:
        return json.loads(json.dumps(header, allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"the record must be made of finite JSON values: {error}") from error


def described(header: object) -> Network:
    """The network of a header, without memory for its weights (on the device "meta").

    Raises ValueError, naming the field, if the header is not as `header_of` writes it.
    """
    if not isinstance(header, dict):
        raise ValueError(f"a header must be a JSON object, got {type(header).__name__}")
    check_version(header, VERSION, "checkpoint")
    if set(header) != set(FIELDS):
        raise ValueError(f"a header has the fields {', '.join(FIELDS)}, got {', '.join(sorted(header))}")
    seed, dtype, record = header["seed"], header["dtype"], header["record"]
    if seed is not None and (type(seed) is not int or not 0 <= seed < 2**63):
        raise ValueError(f"seed must be a whole number in 0..2**63 - 1 or null, got {seed!r}")
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise ValueError(f"dtype must be one of {', '.join(DTYPES)}, got {dtype!r}")
    if record is not None and not isinstance(record, dict):
        raise ValueError(f"record must be an object or null, got {record!r}")
    net = unfilled(from_dict(header["spec"]), DTYPES[dtype], device="meta")
    net.seed, net.record = seed, record
    _restore_gammas(net, ratios_from_json(header["gammas"]))
    return net


def _restore_gammas(net: Network, gammas: object) -> None:
    if not isinstance(gammas, tuple) or len(gammas) != len(hidden(net)):
        raise ValueError(f"gammas must list one entry for each of the {len(hidden(net))} hidden layers, got {gammas!r}")
    check_ratios(gammas)
    if gammas != gammas_of(net):
        set_gamma(net, gammas)


def _dtype_name(net: nn.Module) -> str:
    found = {str(values.dtype).removeprefix("torch.") for values in net.parameters()}
    if len(found) != 1 or not found <= DTYPES.keys():
        raise ValueError(f"all parameters must be float32 or all float64, got {', '.join(sorted(found))}")
    return found.pop()
