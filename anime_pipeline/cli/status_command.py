"""``anime-pipeline status``: how each cut stands, why, and what rendering the rest will cost."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict

from anime_pipeline.cli.changes import told_change
from anime_pipeline.cli.console import JsonOption, out, print_json, print_table
from anime_pipeline.cli.house import open_house
from anime_pipeline.cli.scopes import Scope, cuts_of
from anime_pipeline.database.session import session_scope
from anime_pipeline.rendering.staleness import TO_RENDER, CutState, cut_states
from anime_pipeline.review.forecast import CutForecast, counted, duration, forecast


def status(scope: Scope = None, as_json: JsonOption = False) -> None:
    """Say how each cut stands, and forecast what rendering the rest will cost.

    A cut is current, stale (because of which field, old → new), missing, queued, failed, failing its gate,
    or in review. The forecast is in GPU seconds, from the takes of the same workflows so far.
    """
    house = open_house()
    cuts_of(house, scope)
    with session_scope(house.settings) as session:
        states = cut_states(session, house.settings, scope)
        waiting = [state.cut_key for state in states if state.state in TO_RENDER]
        expected = forecast(session, house.settings, waiting)
    costs = {cut.cut_key: cut for cut in expected.cuts}
    counted = Counter(state.state for state in states)
    if as_json:
        cuts = [{**asdict(state), "forecast": _forecast_json(costs.get(state.cut_key))} for state in states]
        print_json({"cuts": cuts, "counts": dict(counted), "forecast": expected.as_json()})
        return
    rows = [(s.cut_key, s.state, _cost(costs.get(s.cut_key)), _why(s)) for s in states]
    print_table("Cuts", ("cut", "state", "GPU time", "why"), rows)
    out.print(", ".join(f"{count} {state}" for state, count in counted.most_common()))
    out.print(f"Forecast: {expected.said}.")


def _why(state: CutState) -> str:
    told = [*map(told_change, state.changes), *([state.reason] if state.reason else [])]
    if state.retakes:
        told.append(f"{counted(state.retakes, 'retake')} so far")
    return "\n".join(told)


def _cost(cut: CutForecast | None) -> str | None:
    if cut is None or not cut.takes:
        return None
    return "unknown" if cut.gpu_seconds is None else duration(cut.gpu_seconds)


def _forecast_json(cut: CutForecast | None) -> dict[str, object] | None:
    if cut is None or not cut.takes:
        return None
    return {name: value for name, value in asdict(cut).items() if name != "cut_key"}
