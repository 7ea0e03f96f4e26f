"""The preview server: speaks ComfyUI's protocol and draws animatics, so an episode is seen without a GPU."""

DRAWING_VERSION = 2
"""Raised whenever the same shot would be drawn with other pixels: it is part of every animatic's recipe."""

SERVER_KIND = "preview"
"""What the server calls itself in /system_stats (``server_kind``), and what takes record."""
