"""Neural backbones: Keras definitions (only in ``keras_*.py``), export to OpenVINO, and the runner."""
