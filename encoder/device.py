"""Compute devices of codecs: selection and labels."""

from typing import TYPE_CHECKING

from .errors import CodecError

if TYPE_CHECKING:
    import torch


def device_label(device: "torch.device") -> str:
    """Returns the device with its hardware, such as "cuda (NVIDIA L4)" or "cpu (2 threads)"."""
    import torch

    hardware = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{torch.get_num_threads()} threads"
    return f"{device} ({hardware})"


def pick_device(device: str) -> "torch.device":
    """Returns the device called `device`; "auto" is a GPU if there is one. Raises `CodecError` if it is not
    available."""
    import torch

    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
        torch.empty(1, device=chosen)
    except (RuntimeError, AssertionError) as error:
        raise CodecError(f"device '{device}' cannot be used: {error}; choose 'auto' or 'cpu'").naming(
            "device"
        ) from error
    return chosen
