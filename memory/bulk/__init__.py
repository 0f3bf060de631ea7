"""Bulk work: ageing, reencoding and importing whose batches a pool of other processes carries out."""
