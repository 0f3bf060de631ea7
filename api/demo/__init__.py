"""The demo: stores, ages and recalls a year of conversation."""
