"""Rows that contradict others, and what sets them right. The application never makes such rows."""
