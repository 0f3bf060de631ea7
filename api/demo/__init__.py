"""The demo: a year of conversation that is remembered, fades and is recalled."""
