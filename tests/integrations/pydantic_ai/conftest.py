"""Needs the extra "pydantic-ai"."""

import importlib.util

if importlib.util.find_spec("pydantic_ai") is None:
    collect_ignore_glob = ["test_*.py"]
