"""OpenVINO, imported in one place: on demand, and without its reports to its makers."""

from __future__ import annotations

import sys
from types import ModuleType


def openvino_module() -> ModuleType:
    """The ``openvino`` module.

    Importing it as it comes writes ``~/intel`` and sends an event over the internet; when the package
    ``openvino_telemetry`` cannot be imported it uses an inert stand-in of its own.
    """
    if "openvino" not in sys.modules:
        sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    import openvino

    module: ModuleType = openvino
    return module
