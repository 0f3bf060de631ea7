"""The values that a memory takes and returns, one class for each, in every interface. Imports pydantic alone."""
