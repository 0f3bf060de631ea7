"""The OpenAPI document, its examples and its HTML page."""
