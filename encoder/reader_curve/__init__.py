"""Calibration: what a reader behind an endpoint reads of our own pages, by the size of cells, and what it bills."""
