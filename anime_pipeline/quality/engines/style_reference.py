"""What a project's style is: the prototype of its approved pictures, and what closeness to it is worth.

No published threshold of style exists. The raw cosine to the prototype is mapped piecewise linearly through
three anchors of the show's own: the median of pictures of other styles is 0.50, the tenth percentile of the
approved pictures, each against the prototype of the others, is 0.85, and the most that they reach is 1.0. So
0.85 means "as close as the approved pictures", whatever the embedding.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from anime_pipeline.errors import UserError
from anime_pipeline.quality.engines.calibration import Calibration, auc

FEWEST = 3  # approved pictures, so that each can be left out against two others
LEAST_SPREAD = 1e-6  # of cosines, which float32 embeddings hardly tell from none
AT_NEGATIVES, AT_APPROVED, AT_BEST = 0.50, 0.85, 1.0


class StyleReferenceError(UserError):
    """Approved pictures that no style can be made of."""


@dataclass(frozen=True)
class StyleReference:
    """A prototype of unit length and the raw cosines ``low`` < ``approved`` < ``best`` of the three anchors.

    ``backend`` is the engine's that made the embeddings, and ``weights_sha256`` the hash of its weights, None
    where it is not known. ``references_sha256`` is the hash of the pictures. ``auc`` says how well approved
    and other pictures are told apart; 0.9 is wanted.
    """

    backend: str
    prototype: tuple[float, ...]
    low: float
    approved: float
    best: float
    references_sha256: str
    auc: float
    weights_sha256: str | None = None

    @property
    def calibration(self) -> Calibration:
        """As scores name it."""
        return Calibration(self.references_sha256, self.auc)

    def cosines(self, embeddings: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Raw cosines of unit embeddings, N × width, to the prototype."""
        cosines: npt.NDArray[np.float64] = embeddings.astype(np.float64) @ np.asarray(self.prototype)
        return cosines

    def adherence(self, cosine: float) -> float:
        """A raw cosine on the scale 0 to 1; below ``low`` it goes on with the same slope, down to 0."""
        slope = (AT_APPROVED - AT_NEGATIVES) / (self.approved - self.low)
        if cosine < self.low:
            return max(0.0, AT_NEGATIVES - slope * (self.low - cosine))
        anchors = (self.low, self.approved, self.best)
        return float(np.interp(cosine, anchors, (AT_NEGATIVES, AT_APPROVED, AT_BEST)))


def style_reference(
    backend: str,
    approved: npt.NDArray[np.float32],
    negatives: npt.NDArray[np.float32],
    references_sha256: str,
) -> StyleReference:
    """The reference of approved and other pictures, unit embeddings N × width and M × width.

    Raises :class:`StyleReferenceError` for fewer than three approved pictures, for no others, where the
    others are as near to the style as the approved ones, and where all of these are the same.
    """
    if len(approved) < FEWEST or len(negatives) == 0:
        raise StyleReferenceError(
            f"a style needs {FEWEST} approved pictures and one of another style; "
            f"there are {len(approved)} and {len(negatives)}",
            "approve more pictures, or add pictures of other styles",
        )
    left_out = left_out_cosines(approved)
    prototype = _unit(approved.astype(np.float64).sum(axis=0))
    others = negatives.astype(np.float64) @ prototype
    low, near, best = float(np.median(others)), float(np.percentile(left_out, 10)), float(left_out.max())
    if not low < near:
        raise StyleReferenceError(
            f"the approved pictures cannot be told from the others: cosine {near:.3f} against {low:.3f}",
            "see that the approved pictures share a style and the others do not",
        )
    if best - near < LEAST_SPREAD:
        raise StyleReferenceError(
            f"{backend} sees the approved pictures as one and the same: nothing says how close is close",
            "approve pictures of the style that show different things",
        )
    separation = auc(left_out, others)
    return StyleReference(backend, tuple(prototype.tolist()), low, near, best, references_sha256, separation)


def left_out_cosines(approved: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """The cosine of each approved picture to the prototype of the others, from unit embeddings N × width."""
    total = approved.astype(np.float64).sum(axis=0)
    return np.array([embedding @ _unit(total - embedding) for embedding in approved.astype(np.float64)])


def _unit(vector: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    unit: npt.NDArray[np.float64] = vector / max(float(np.linalg.norm(vector)), 1e-12)
    return unit
