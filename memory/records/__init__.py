"""Records: values that agent frameworks keep and must get back exactly, beside the messages of a bank."""
