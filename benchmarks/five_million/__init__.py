"""Scale benchmark: five million tokens of conversation over eighteen months, in one bank under the default policy."""
