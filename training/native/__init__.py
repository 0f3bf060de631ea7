"""Training of the native codec: its network, its prior, its charset and its calibration."""
