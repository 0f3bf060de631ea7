"""Odd strings through every tier: what is shown, and neither as said, nor flagged, nor a gap."""
