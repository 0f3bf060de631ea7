"""Reader calibration: accuracy by cell size, and billed tokens, of a model behind an endpoint on sample pages."""
