"""DINO's vision transformer as published, without a shortcut: what ours is held to, and timed against."""

from __future__ import annotations

import importlib
import math
from typing import Any


def dino_state(width: int = 64, depth: int = 2, side: int = 14) -> dict[str, Any]:
    """A small DINO's state dict with random values, under its checkpoint's names."""
    torch = importlib.import_module("torch")
    torch.manual_seed(5)
    state = {
        "cls_token": torch.randn(1, 1, width),
        "pos_embed": torch.randn(1, side * side + 1, width),
        "patch_embed.proj.weight": torch.randn(width, 3, 16, 16) * 0.05,
        "patch_embed.proj.bias": torch.randn(width),
        "norm.weight": torch.randn(width),
        "norm.bias": torch.randn(width),
    }
    shapes = {"attn.qkv": (3 * width, width), "attn.proj": (width, width), "mlp.fc1": (4 * width, width)}
    shapes |= {"mlp.fc2": (width, 4 * width)}
    for block in range(depth):
        for norm in ("norm1", "norm2"):
            state[f"blocks.{block}.{norm}.weight"] = torch.randn(width)
            state[f"blocks.{block}.{norm}.bias"] = torch.randn(width)
        for name, (out, into) in shapes.items():
            state[f"blocks.{block}.{name}.weight"] = torch.randn(out, into) / math.sqrt(into)
            state[f"blocks.{block}.{name}.bias"] = torch.randn(out) * 0.1
    return state


def plain_dino(state: dict[str, Any], image: Any, heads: int) -> Any:
    """DINO's forward pass of one picture, written as published: every token, attention by hand."""
    torch = importlib.import_module("torch")
    functional = torch.nn.functional
    patches = functional.conv2d(
        image, state["patch_embed.proj.weight"], state["patch_embed.proj.bias"], stride=16
    )
    height, width = patches.shape[2] + 0.1, patches.shape[3] + 0.1
    grid = state["pos_embed"][:, 1:]
    side, dim = int(math.sqrt(grid.shape[1])), grid.shape[2]
    if (patches.shape[2], patches.shape[3]) != (side, side):
        grid = grid.reshape(1, side, side, dim).permute(0, 3, 1, 2)
        grid = functional.interpolate(grid, scale_factor=(height / side, width / side), mode="bicubic")
        grid = grid.permute(0, 2, 3, 1).reshape(1, -1, dim)
    x = torch.cat([state["cls_token"], patches.flatten(2).transpose(1, 2)], dim=1)
    x = x + torch.cat([state["pos_embed"][:, :1], grid], dim=1)
    for block in range(1 + max(int(name.split(".")[1]) for name in state if name.startswith("blocks"))):
        own = {name.removeprefix(f"blocks.{block}."): value for name, value in state.items()}
        y = functional.layer_norm(x, (dim,), own["norm1.weight"], own["norm1.bias"], 1e-6)
        qkv = functional.linear(y, own["attn.qkv.weight"], own["attn.qkv.bias"])
        q, k, v = qkv.reshape(1, -1, 3, heads, dim // heads).permute(2, 0, 3, 1, 4)
        attention = ((q @ k.transpose(-2, -1)) * (dim // heads) ** -0.5).softmax(dim=-1)
        y = (attention @ v).transpose(1, 2).reshape(1, -1, dim)
        x = x + functional.linear(y, own["attn.proj.weight"], own["attn.proj.bias"])
        y = functional.layer_norm(x, (dim,), own["norm2.weight"], own["norm2.bias"], 1e-6)
        y = functional.gelu(functional.linear(y, own["mlp.fc1.weight"], own["mlp.fc1.bias"]))
        x = x + functional.linear(y, own["mlp.fc2.weight"], own["mlp.fc2.bias"])
    return functional.layer_norm(x, (dim,), state["norm.weight"], state["norm.bias"], 1e-6)[:, 0]
