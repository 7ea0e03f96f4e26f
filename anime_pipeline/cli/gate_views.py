"""How gates are printed: rows, explanations with what mends them, and the same as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from anime_pipeline.cli.console import out, print_table
from anime_pipeline.quality.gates import Explanation, Verdict
from anime_pipeline.quality.worst_frames import FailingPicture

Pictures = Mapping[tuple[int, int | None], FailingPicture]
SHOWN_CHANGES = 3


def shown_row(found: Explanation) -> tuple[object, ...]:
    """A gate as a row of ``gates show``; what mends it is left to ``gates explain``."""
    judgement = found.judgement
    reason = judgement.reason
    for entry in judgement.missing:
        reason = reason.replace(f"; {entry.remedy}", "")
    why = reason if found.override is None else f"{found.override.said} ({reason})"
    cuts = f"{judgement.count('passed')}/{len(judgement.cuts)}"
    return (found.scope_key, found.phase.name, found.state, cuts, why, _kept(found))


def _interval(found: Explanation) -> str:
    if found.judgement.wilson is None:
        return ""
    low, high = found.judgement.wilson
    return f" (95 % interval of the share: {low:.0%} to {high:.0%})"


def _kept(found: Explanation) -> str | None:
    kept = found.latest
    if kept is None:
        return None
    when = f"{kept.created_at:%Y-%m-%d %H:%M}"
    return f"{when}: {kept.verdict}, now stale" if kept.stale else when


def _changes_since(kept: Verdict) -> str:
    changes = [str(change) for change in kept.changes[:SHOWN_CHANGES]]
    more = len(kept.changes) - len(changes)
    return "; ".join([*changes, *([f"and {more} more"] if more else [])])


def shown_as_json(found: Explanation) -> dict[str, Any]:
    """A gate as ``gates show --json`` has it; ``kept`` is the newest stored verdict."""
    judgement = found.judgement
    return {
        "scope_key": found.scope_key,
        "phase": found.phase.name,
        "state": found.state,
        "verdict": judgement.verdict,
        "reason": judgement.reason,
        "cuts_total": len(judgement.cuts),
        "cuts_passed": judgement.count("passed"),
        "cuts_failed": judgement.count("failed"),
        "cuts_unmeasured": judgement.count("unmeasured"),
        "pass_rate": judgement.pass_rate,
        "wilson_interval": judgement.wilson,
        "judged_sha256": judgement.judged_sha256,
        "override": found.override and asdict(found.override),
        "kept": found.latest and asdict(found.latest),
    }


def explanation_as_json(found: Explanation, pictures: Pictures) -> dict[str, Any]:
    """A gate with all that decides it, as ``gates explain --json`` has it."""
    return {
        "scope": found.scope_key,
        **shown_as_json(found),
        "rules": [
            {"metric": r.metric, "comparison": r.comparison, "threshold": r.threshold}
            for r in found.phase.rules
        ],
        "failing": [
            {**asdict(failing), "picture": _picture(pictures, failing.job_id, failing.worst_frame)}
            for failing in found.judgement.failing
        ],
        "missing": [asdict(missing) for missing in found.judgement.missing],
        "to_mend": list(found.remedies),
    }


def _picture(pictures: Pictures, job_id: int, frame: int | None) -> dict[str, Any] | None:
    found = pictures.get((job_id, frame))
    return None if found is None else asdict(found)


def print_explanation(found: Explanation, pictures: Pictures) -> None:
    """A gate with all that decides it, for people."""
    judgement = found.judgement
    told = f"{found.scope_key} {found.phase.name}: {found.state}: {judgement.reason}{_interval(found)}"
    out.print(told, soft_wrap=True)
    if found.override is not None:
        out.print(f"Override {found.override.id}: {found.override.said}", soft_wrap=True)
    rules = [(r.metric, r.comparison.replace("_", " "), r.threshold) for r in found.phase.rules]
    print_table("Asked", ("metric", "", "threshold"), rows=rules)
    if judgement.failing:
        columns = ("cut", "take", "metric", "value", "threshold", "worst frame", "picture")
        print_table("Failing", columns, [_failing_row(entry, pictures) for entry in judgement.failing])
    if judgement.missing:
        print_table(
            "Missing",
            ("metric", "why", "to mend it", "cuts"),
            [(m.metric or "take", m.reason, m.remedy, len(m.cut_keys)) for m in judgement.missing],
        )
    if found.latest is not None and found.latest.stale:
        out.print(f"Kept {_kept(found)}: {_changes_since(found.latest)}", soft_wrap=True)
    if found.remedies:
        out.print("To mend it:")
        for remedy in found.remedies:
            out.print(f"  {remedy}", soft_wrap=True)


def _failing_row(entry: Any, pictures: Pictures) -> tuple[object, ...]:
    picture = pictures.get((entry.job_id, entry.worst_frame))
    shown = None if picture is None else picture.path or picture.reason
    told = (entry.cut_key, entry.take_number, entry.metric, entry.value, entry.threshold)
    return (*told, entry.worst_frame, shown)
