"""Foxing's service beside other stores, behind the same requests and with the same embedder."""
