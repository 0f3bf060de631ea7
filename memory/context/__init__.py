"""Context: builds the content of a prompt for a reader, within a budget in the reader's own billing."""
