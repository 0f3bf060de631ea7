"""Turns of the conversations that pass between a program and a model, as the proxy and wrapped clients see them."""
