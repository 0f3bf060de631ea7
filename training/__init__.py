"""Training of the released weights and the glyph atlas. Not part of the installed package."""
