"""What becomes of sealed pages: ageing, reencoding, relayout."""
