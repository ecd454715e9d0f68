"""OpenVINO, imported in one place: on demand, without its reports to its makers, and its converter only to convert."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

CONVERTER = "openvino.tools.ovc"


def openvino_module() -> ModuleType:
    """The ``openvino`` module, which here has no ``convert_model``: see below.

    Importing it as it comes writes ``~/intel`` and sends an event over the internet; when the package
    ``openvino_telemetry`` cannot be imported it uses an inert stand-in of its own. It also does without its converter,
    which knows the formats of all frameworks and takes as long to import as all the rest.
    """
    if "openvino" not in sys.modules:
        sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
        sys.modules[CONVERTER] = None  # type: ignore[assignment]
        try:
            import openvino
        finally:
            del sys.modules[CONVERTER]
    import openvino

    module: ModuleType = openvino
    return module


def convert_model(network: Any) -> Any:
    """A network of another framework as an ``openvino.Model``."""
    openvino_module()
    from openvino.tools import ovc

    return ovc.convert_model(network)
