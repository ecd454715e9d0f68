"""Keras to OpenVINO: ``python -m pipeline.networks.keras_export BACKBONE WEIGHTS FOLDER`` writes the graph.

It is a separate program so that tensorflow's memory and threads end with it; ``export.py`` starts it.
"""

from __future__ import annotations

import sys
from pathlib import Path

from pipeline.networks.backbones import Backbone, find_backbone
from pipeline.networks.engine import GRAPH_FILE, convert_model, openvino_module
from pipeline.networks.keras_backbone import load_backbone


def write_export(backbone: Backbone, weights: Path, folder: Path) -> None:
    """Load, convert and write the network for one photo at a time, with weights stored as fp16 to halve its size.

    It is still computed in fp32. Raises BadArtefact when the weights file is damaged or of another kind.
    """
    model = convert_model(load_backbone(backbone, weights))
    model.reshape([1, backbone.side, backbone.side, 3])
    openvino_module().save_model(model, folder / GRAPH_FILE, compress_to_fp16=True)


def main() -> None:
    """Read the three arguments and write the export."""
    name, weights, folder = sys.argv[1:]
    write_export(find_backbone(name), Path(weights), Path(folder))


if __name__ == "__main__":
    main()
