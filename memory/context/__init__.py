"""Context: what is put before a reader's model for one turn, within a budget billed as that reader bills."""
