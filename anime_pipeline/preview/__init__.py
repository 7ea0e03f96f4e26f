"""The preview server: speaks ComfyUI's protocol and draws animatics, so an episode is seen without a GPU."""
