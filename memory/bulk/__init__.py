"""Bulk work: ageing, reencoding and importing in batches that a pool of other processes carries out."""
