"""Hooks of coding agents: what a session begins with, what is recalled for a prompt, and the turns that are stored."""
