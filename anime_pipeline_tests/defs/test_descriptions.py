"""Defends that whoever looks at Dagster's UI reads what each thing there is."""

from anime_pipeline.definitions import defs
from anime_pipeline.defs.mistakes import said
from anime_pipeline.errors import UserError


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


def test_every_value_that_a_run_can_be_given_is_described() -> None:
    graphs = [job.graph for job in defs.get_repository_def().get_all_jobs()]
    described = {
        f"{op.name}.{name}": given.description
        for op in (op for graph in graphs for op in graph.iterate_op_defs())
        if op.config_field is not None
        for name, given in getattr(op.config_field.config_type, "fields", {}).items()
    }
    assert {"plan_batch.cut_keys", "render_takes_again.job_ids", "daily_report.day"} <= set(described)
    assert [name for name, description in described.items() if not description] == []


def test_a_mistake_and_its_remedy_are_two_sentences() -> None:
    assert said(UserError("job 9 is no take", "list them")) == "job 9 is no take. To mend it: list them"
    assert said(UserError("There is no cut.", "list them")) == "There is no cut. To mend it: list them"
    assert said(UserError("It is gone.")) == "It is gone."
