"""The encoder without its decoder, for a server that decodes. The weights are random."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image
from support.checkpoint_edits import edit_weights, edited_copy
from support.deepseek_checkpoint import write_deepseek

from foxing.encoder import CodecError, DeepSeekOptions, load_codec
from foxing.encoder.vision.codec import VisionCodec
from foxing.encoder.vision.models.checkpoint import locate
from foxing.encoder.vision.models.deepseek import DeepSeekOcr
from foxing.encoder.vision.models.model import PageFeatures
from foxing.encoder.vision.models.qwen import QwenVl
from foxing.encoder.vision.quantization import from_tokens
from foxing.encoder.vision.remote_decoding import RemoteVisionCodec
from foxing.renderer import PageLayout

pytestmark = pytest.mark.slow


def test_a_codec_that_a_server_decodes_for_loads_no_decoder(tmp_path: Path, small_page: PageLayout) -> None:
    """It encodes as the whole model does and sends the same embeddings. A missing encoder is still an error."""
    checkpoint = locate(str(write_deepseek(tmp_path / "model")), None)
    whole = DeepSeekOcr.load(checkpoint, torch.device("cpu"), torch.float32)
    encoder = DeepSeekOcr.load_encoder(checkpoint, torch.device("cpu"), torch.float32)
    names = set(encoder.network.state_dict())
    assert names < set(whole.network.state_dict())
    assert {name for name in names if ".layers." in name and "language_model" in name} == set()
    assert "lm_head.weight" not in names
    image = Image.effect_noise((640, 640), 60)
    tokens = [VisionCodec(model, "0" * 12, layout=small_page).encode([image], "small")[0] for model in (whole, encoder)]
    assert tokens[0] == tokens[1]
    page = PageFeatures("small", from_tokens(tokens[0]))
    embeddings = [model.prompt_embeddings(page) for model in (whole, encoder)]
    assert torch.equal(*embeddings)
    broken = edited_copy(
        checkpoint.folder, tmp_path / "broken", edit_weights(lambda t: t.pop("model.projector.layers.bias"))
    )
    with pytest.raises(CodecError, match="missing keys"):
        DeepSeekOcr.load_encoder(locate(str(broken), None), torch.device("cpu"), torch.float32)


def test_the_option_remote_loads_no_decoder(deepseek_folder: Path) -> None:
    server = {"url": "http://127.0.0.1:9/v1", "model": "deepseek"}
    options = DeepSeekOptions.model_validate({"model": str(deepseek_folder), "remote": server})
    codec = load_codec("deepseek-ocr", "cpu", options=options)
    assert isinstance(codec, RemoteVisionCodec)
    assert len(codec.model.network.model.language_model.layers) == 0
    codec.close()


def test_other_models_need_their_decoder(model_folder: Callable[[str], Path]) -> None:
    with pytest.raises(CodecError, match="remove the option 'remote'"):
        QwenVl.load_encoder(locate(str(model_folder("qwen2_vl")), None), torch.device("cpu"), torch.float32)
