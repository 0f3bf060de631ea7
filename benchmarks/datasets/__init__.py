"""Published conversations with questions that name their evidence: LoCoMo, REALTALK, BEAM."""
