"""The demo: a year of conversation that is stored, ages and is recalled."""
