"""Storing and recalling the same conversations in Foxing and in other stores."""
