"""Tests of dimension reduction, clustering methods and agreement."""
