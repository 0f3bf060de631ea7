"""Redaction of messages by the rules of a bank's policy, before anything of them is written."""

from .rules import SENSITIVE, Redaction

__all__ = ["SENSITIVE", "Redaction"]
