"""The preview server: speaks ComfyUI's protocol and draws animatics, so an episode is seen without a GPU."""

SERVER_KIND = "preview"
"""What the server calls itself in /system_stats (``server_kind``), and what takes record."""
