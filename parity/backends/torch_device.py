"""The name that torch has for the hardware of a device."""

from __future__ import annotations

import torch


def device_name(device: str) -> str | None:
    """The name of the hardware, as its maker gave it; None for the CPU, and where the device's module tells none."""
    if torch.device(device).type == "cpu":
        return None
    tell = getattr(torch.get_device_module(device), "get_device_name", None)
    return str(tell(device)) if tell else None
