"""The native codec: small, trained by us, its weights in the package."""
