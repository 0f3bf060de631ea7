"""Alembic migrations of Foxing's database."""
