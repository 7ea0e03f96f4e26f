"""generation_seconds: the server's own time for a take, from its start of execution to its success.

Lower is better. It is read, not measured here: waiting in a queue and transfers are not in it. A preview
server's time says nothing about a GPU; the score's details name the kind of server.
"""

from __future__ import annotations

from dataclasses import dataclass

from anime_pipeline.quality.engines.protocol import Accumulator, FrameChunk, Provenance, Score, TakeFacts

METRIC = "generation_seconds"


@dataclass(frozen=True)
class GenerationSeconds:
    """Seconds between execution_start and execution_success."""

    metric: str = METRIC
    weights: tuple[str, ...] = ()
    reads_frames: bool = False

    def provenance(self, facts: TakeFacts) -> Provenance:
        """The server's clock; the kind of server is a setting, since it decides what the number means."""
        return Provenance("server-clock", "1", None, {"server_kind": facts.server_kind})

    def start(self, facts: TakeFacts) -> Accumulator:
        """Begin a take."""
        return _Seconds(facts, self.provenance(facts))


@dataclass(frozen=True)
class _Seconds:
    facts: TakeFacts
    provenance: Provenance

    def add(self, chunk: FrameChunk) -> None:
        """The frames do not matter."""

    def finish(self) -> Score:
        seconds = self.facts.generation_seconds
        if seconds is None:
            reason = "the server did not say when it began and ended this take"
            return Score(METRIC, "not_measurable", self.provenance, reason=reason)
        return Score(
            METRIC, "measured", self.provenance, seconds, (), {"server_kind": self.facts.server_kind}
        )
