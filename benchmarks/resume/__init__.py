"""Interrupted tasks, made from the train tasks of tau-bench retail, that one plain recall must be able to resume."""
