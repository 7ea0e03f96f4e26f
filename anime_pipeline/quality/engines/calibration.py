"""What a project's own pictures say of a learned metric: whether it tells the same from the different."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

LEAST_AUC = 0.9
"""Below it the metric cannot be trusted on this show's pictures."""


@dataclass(frozen=True)
class Calibration:
    """A calibration as scores name it: the hash of its pictures, and the area under its ROC curve."""

    references_sha256: str
    auc: float

    @property
    def separates(self) -> bool:
        """Whether same and different are told apart well enough."""
        return self.auc >= LEAST_AUC

    def as_details(self) -> dict[str, object]:
        """For a score's details, where gates read it."""
        return {"references_sha256": self.references_sha256, "auc": self.auc, "separates": self.separates}


def auc(same: npt.NDArray[np.float64], different: npt.NDArray[np.float64]) -> float:
    """The share of pairs in which a value of ``same`` is above one of ``different``; ties count half."""
    above = (same[:, None] > different[None]).mean()
    ties = (same[:, None] == different[None]).mean()
    return float(above + ties / 2)
