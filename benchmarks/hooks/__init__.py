"""Hooks of coding agents: what is given for prompts, how long a prompt waits, and what kills lose."""
