"""The life of a page after sealing: ageing, and moving to another codec or other weights."""
