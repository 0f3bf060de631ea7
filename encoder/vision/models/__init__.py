"""Adapters of vision–language models: their checkpoints, images, prompts and vision tokens."""
