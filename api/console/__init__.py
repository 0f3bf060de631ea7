"""The console: pages that show what is remembered, what has faded, and what a model is about to see."""
