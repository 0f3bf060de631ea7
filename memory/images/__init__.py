"""Images in messages: reading their files within limits, decoding, scaling."""
