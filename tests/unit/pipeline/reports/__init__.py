"""Tests of the study's parts and its report."""
