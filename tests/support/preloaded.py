"""What processes of tests have loaded when they are forked: what `foxing serve` imports, and weights."""

import gc
from tempfile import TemporaryDirectory

import foxing.api.cli.main
import foxing.api.server  # noqa: F401
from foxing.api.app import create_app
from foxing.api.settings import load_settings
from foxing.encoder import load_codec
from foxing.encoder.native.codec import NativeCodec
from foxing.memory import Memory
from foxing.memory.index.embedders import open_embedder

for device in ("auto", "cpu"):
    codec = load_codec("native", device)
    assert isinstance(codec, NativeCodec)
    assert codec.runner  # the network is loaded on first use
open_embedder("use").embed_queries(["loads the weights"])
with TemporaryDirectory() as folder, Memory(f"{folder}/foxing.db") as memory:
    create_app(load_settings({}), memory)
gc.freeze()  # garbage collection would copy the memory that processes share
