"""What processes of tests have loaded when they are forked."""

from foxing.encoder import load_codec
from foxing.memory.index.embedders import open_embedder

for device in ("auto", "cpu"):
    load_codec("native", device)
open_embedder("use").embed_queries(["loads the weights"])
