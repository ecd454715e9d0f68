"""Estimators, calibration, fusion, decisions and their evaluation."""
