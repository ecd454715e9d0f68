"""Neural backbones: Keras definitions (only in ``keras_*.py``), export to OpenVINO, engines, fine-tuning."""
