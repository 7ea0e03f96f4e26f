"""Defends that whoever looks at Dagster's UI reads what each thing there is."""

from anime_pipeline.definitions import defs


def test_every_asset_check_job_sensor_and_schedule_is_described() -> None:
    repository = defs.get_repository_def()
    graph = repository.asset_graph
    jobs = [job for job in repository.get_all_jobs() if not job.name.startswith("__")]
    named = {job.name: job.description for job in jobs}
    named |= {sensor.name: sensor.description for sensor in repository.sensor_defs}
    named |= {schedule.name: schedule.description for schedule in repository.schedule_defs}
    named |= {node.key.to_user_string(): node.description for node in graph.asset_nodes}
    named |= {key.to_user_string(): graph.get_check_spec(key).description for key in graph.asset_check_keys}
    assert {"frames", "render_backlog", "nightly_backup", "quality_metrics:take_gate"} <= set(named)
    assert [name for name, description in named.items() if not description] == []
