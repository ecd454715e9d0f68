"""Tests of the stages of a study."""
