"""Storing and recalling the same conversations in Foxing and in what people use instead, side by side."""
