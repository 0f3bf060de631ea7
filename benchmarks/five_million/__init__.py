"""Five million tokens of conversation, a year and a half of it, in one bank under the default policy."""
