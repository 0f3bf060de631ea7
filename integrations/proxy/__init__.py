"""A proxy between agents and their models, which folds long conversations and remembers what passes."""
