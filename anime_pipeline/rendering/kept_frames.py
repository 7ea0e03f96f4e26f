"""Single frames that are kept as pictures of their own: where a take ends, where two takes differ."""

from __future__ import annotations

from io import BytesIO

from PIL import Image
from sqlalchemy.orm import Session

from anime_pipeline.media.film import Frame
from anime_pipeline.media.store import MediaStore
from anime_pipeline.story.picture_store import note_picture


def keep_frame(session: Session, store: MediaStore, frame: Frame) -> str:
    """Put a frame (uint8, height × width × 3) into the store as PNG; its sha256."""
    out = BytesIO()
    Image.fromarray(frame).save(out, format="PNG")
    kept = store.put_bytes(out.getvalue(), ".png")
    height, width = frame.shape[:2]
    note_picture(session, kept, width, height)
    return kept.sha256
