"""Where a codec computes."""

import torch

from .errors import CodecError


def named(device: torch.device) -> str:
    """The device in words, for whoever asks what computes: the name of the GPU, the threads of a CPU."""
    words = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{torch.get_num_threads()} threads"
    return f"{device} ({words})"


def pick_device(device: str) -> torch.device:
    """`auto` takes a GPU when there is one. Raises `CodecError` for a device that is not there."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
        torch.empty(1, device=chosen)
    except (RuntimeError, AssertionError) as error:
        raise CodecError(f"device '{device}' cannot be used: {error}; set FOXING_DEVICE=auto or cpu") from error
    return chosen
