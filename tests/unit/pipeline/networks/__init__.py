"""Tests of the backbones: weights files, export, the OpenVINO runner."""
