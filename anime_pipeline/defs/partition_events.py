"""Events of single partitions within a run that handles a range of them.

Dagster records a range's output for all of its partitions or, when the step raises, for none. Finished cuts
must not be lost with a failed one, so they are then recorded one by one before the step fails.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import dagster as dg

Metadata = Mapping[str, dg.MetadataValue]


def record_partitions(
    context: dg.OpExecutionContext,
    asset_key: str,
    finished: Mapping[str, Metadata],
    failed: Mapping[str, str],
) -> None:
    """Give each finished partition its metadata; with failed ones (key → reason) the step fails naming them.

    Raises:
        dagster.Failure: when ``failed`` is not empty; every finished partition is recorded by then.
    """
    if not failed:
        asset_context = dg.AssetExecutionContext.get()
        for key, metadata in finished.items():
            asset_context.add_asset_metadata(metadata, asset_key=asset_key, partition_key=key)
        return
    for key, metadata in finished.items():
        context.log_event(dg.AssetMaterialization(asset_key=asset_key, partition=key, metadata=metadata))
    lines = [f"{key}: {reason}" for key, reason in sorted(failed.items())]
    raise dg.Failure(
        description=f"{len(failed)} of {len(failed) + len(finished)} cuts failed\n" + "\n".join(lines),
        metadata={"failed": dg.MetadataValue.json(dict(failed))},
        allow_retries=False,
    )


@dataclass(frozen=True)
class Record:
    """What a partition holds: the hash that is its data version, and what the UI shows."""

    data_version: str
    metadata: Metadata


def output_with_records(
    context: dg.AssetExecutionContext, records: Mapping[str, Record]
) -> Iterator[dg.Output[None]]:
    """The asset's output, and then each partition's own record.

    An output has one data version for its whole range; the newest record counts, so the exact ones follow.
    """
    yield dg.Output(None)
    for key, record in records.items():
        context.log_event(
            dg.AssetMaterialization(
                asset_key=context.asset_key,
                partition=key,
                metadata=record.metadata,
                tags={"dagster/data_version": record.data_version},
            )
        )


@dataclass(frozen=True)
class Outcome:
    """A check's outcome for one partition."""

    partition: str
    passed: bool
    description: str
    metadata: Metadata = field(default_factory=dict)


def check_evaluations(
    spec: dg.AssetCheckSpec, outcomes: Sequence[Outcome], blocking: bool = False
) -> list[dg.AssetCheckEvaluation]:
    """One evaluation per partition, since a check result of a range loses its partition.

    Only an outcome that is ``blocking`` is an error; the others are warnings, which hold nothing up.
    """
    return [
        dg.AssetCheckEvaluation(
            asset_key=spec.asset_key,
            check_name=spec.name,
            passed=outcome.passed,
            severity=dg.AssetCheckSeverity.ERROR if blocking else dg.AssetCheckSeverity.WARN,
            description=outcome.description,
            blocking=blocking,
            partition=outcome.partition,
            metadata=outcome.metadata,
        )
        for outcome in outcomes
    ]
