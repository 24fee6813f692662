"""Everything that the first viewer should not wait for."""

import gc
import logging
import threading

import streamlit  # noqa: F401 (sets the levels of its loggers as it is imported)

_lock = threading.Lock()
_done = False


def warm_up() -> None:
    """Import torch, load the kernels and the default data, then freeze the garbage collector. Once per process.

    Frozen objects are never looked at again: without this, every collection walks through all of torch.
    """
    global _done
    with _lock:
        if _done:
            return
        quiet = logging.getLogger("streamlit.runtime.scriptrunner_utils.script_run_context")
        level = quiet.level
        quiet.setLevel(logging.ERROR)  # it warns that the caches are filled without a viewer, which is the point here
        _prepare()
        quiet.setLevel(level)
        gc.collect()
        gc.freeze()
        _done = True


def _prepare() -> None:
    import torch

    from app.compute import data, devices, networks
    from app.controls import Setup
    from kwta import warm
    from kwta.activation import kwta

    for _ in warm.warm():
        pass
    for dtype in (torch.float32, torch.float64):
        y = torch.arange(8, dtype=dtype).requires_grad_()
        kwta(y, 2).sum().backward()
    setup = Setup()
    devices.described(setup.device)
    data.data(setup.data)
    networks.network(setup)
