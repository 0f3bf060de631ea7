"""Re-ranking: what recall has found, put in a better order by a model that reads question and text together."""
