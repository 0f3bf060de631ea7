"""Round trip of odd strings through every tier: differences that are neither flagged nor a gap."""
