"""Times in words: windows and bounds, by language."""
