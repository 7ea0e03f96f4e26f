"""Events of single partitions within a run that handles many of them: a range, or a list of keys.

Dagster records a range's output for all of its partitions or, when the step raises, for none. Finished cuts
must not be lost with a failed one, so they are then recorded one by one before the step fails. A run of
scattered cuts has no partitions of its own: its cuts are always recorded one by one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationTargetMaterializationData,
)
from dagster._core.execution.context.metadata_logging import (
    AssetMetadataHandle,
    OutputMetadataAccumulator,
    OutputMetadataHandle,
)

Metadata = Mapping[str, dg.MetadataValue]
ONLY_RECORDED = cast(dg.DagsterType, dg.Nothing)
"""The type of an asset that is recorded and not stored: of any other, Dagster keeps a file a partition."""


@dataclass(frozen=True)
class Batch:
    """What became of a run's partitions: ``finished`` with what the UI shows, ``failed`` with the reason.

    ``left`` were not begun: their time was over, or an edit superseded them. ``versions`` are data versions
    of finished ones. ``kind`` is what they are.
    """

    finished: Mapping[str, Metadata]
    failed: Mapping[str, str] = field(default_factory=dict)
    left: Collection[str] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    kind: str = "cuts"


def record_range(context: dg.OpExecutionContext, asset_key: str, batch: Batch) -> Iterator[dg.Output[None]]:
    """Record the partitions of a range's run, whose output is yielded only where all of them are finished.

    The op's output must not be required: without it Dagster records no partition and runs nothing downstream.

    Raises:
        dagster.Failure: when one has failed; every finished partition is recorded by then.
    """
    if batch.failed or batch.left:
        record_one_by_one(context, asset_key, batch)
        return
    _show_with_output(asset_key, batch.finished)
    yield dg.Output(None)


def record_one_by_one(context: dg.OpExecutionContext, asset_key: str, batch: Batch) -> None:
    """Record the finished partitions by an event each.

    Raises:
        dagster.Failure: when one has failed, naming all that have.
    """
    for event in materializations(asset_key, batch):
        context.log_event(event)
    if batch.left:
        context.log.info(
            f"{len(batch.left)} cuts were not begun: the render hours ended, or an edit superseded them"
        )
    require_all(batch)


def materializations(asset_key: str, batch: Batch) -> Iterator[dg.AssetMaterialization]:
    """An event for each finished partition."""
    for key, metadata in batch.finished.items():
        version = batch.versions.get(key)
        yield dg.AssetMaterialization(
            asset_key=asset_key,
            partition=key,
            metadata=metadata,
            tags={"dagster/data_version": version} if version else None,
        )


def require_all(batch: Batch) -> None:
    """Nothing, where no partition has failed.

    Raises:
        dagster.Failure: when one has failed, naming all that have.
    """
    if not batch.failed:
        return
    lines = [f"{key}: {reason}" for key, reason in sorted(batch.failed.items())]
    raise dg.Failure(
        description=f"{len(batch.failed)} of {len(batch.failed) + len(batch.finished)} {batch.kind} failed\n"
        + "\n".join(lines),
        metadata={"failed": dg.MetadataValue.json(dict(batch.failed))},
        allow_retries=False,
    )


def _show_with_output(asset_key: str, shown: Mapping[str, Metadata]) -> None:
    """Let each partition's event carry its metadata when the output is recorded.

    ``add_asset_metadata`` does this too, but reads all partitions of the definition for each one.
    """
    step = dg.AssetExecutionContext.get().op_execution_context.get_step_execution_context()
    added: dict[AssetMetadataHandle | OutputMetadataHandle, Mapping[str, Any]] = {
        AssetMetadataHandle(asset_key=dg.AssetKey(asset_key), partition_key=key): dict(metadata)
        for key, metadata in shown.items()
    }
    known = step._metadata_accumulator.per_output_metadata
    step._metadata_accumulator = OutputMetadataAccumulator(per_output_metadata={**known, **added})


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


Looked = Mapping[str, AssetCheckEvaluationTargetMaterializationData]


def looked_at(instance: dg.DagsterInstance, asset_key: dg.AssetKey, partitions: Collection[str]) -> Looked:
    """The newest materialization of each partition, which is what a check of it has looked at.

    An evaluation that names another one, or none, is outdated: Dagster's UI shows the check as missing.
    """
    newest = instance.event_log_storage.get_latest_storage_id_by_partition(
        asset_key, dg.DagsterEventType.ASSET_MATERIALIZATION, set(partitions)
    )
    if not newest:
        return {}
    wanted = dg.AssetRecordsFilter(asset_key=asset_key, storage_ids=list(newest.values()))
    records = instance.fetch_materializations(wanted, limit=len(newest)).records
    return {
        record.partition_key: AssetCheckEvaluationTargetMaterializationData(
            storage_id=record.storage_id, run_id=record.run_id, timestamp=record.timestamp
        )
        for record in records
        if record.partition_key is not None
    }


def check_evaluations(
    spec: dg.AssetCheckSpec, outcomes: Sequence[Outcome], looked: Looked, blocking: bool = False
) -> list[dg.AssetCheckEvaluation]:
    """One evaluation per partition, since a check result of a range loses its partition.

    Only an outcome that is ``blocking`` is an error; the others are warnings, which hold nothing up.
    """
    return [
        dg.AssetCheckEvaluation(
            asset_key=spec.asset_key,
            check_name=spec.name,
            passed=outcome.passed,
            target_materialization_data=looked.get(outcome.partition),
            severity=dg.AssetCheckSeverity.ERROR if blocking else dg.AssetCheckSeverity.WARN,
            description=outcome.description,
            blocking=blocking,
            partition=outcome.partition,
            metadata=outcome.metadata,
        )
        for outcome in outcomes
    ]
