"""A queue that stands still says why: what SLURM says of jobs and nodes, and what to do."""

import asyncio
from collections import Counter
from types import SimpleNamespace

import pytest
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor

waiting = pytest.importorskip("snakemake_executor_plugin_prefatlas.waiting")
executor = pytest.importorskip("snakemake_executor_plugin_prefatlas.executor")

SQUEUE = """\
12|PENDING|(Resources)
13|PENDING|(ReqNodeNotAvail, UnavailableNodes:node1)
14|COMPLETED|None
99|RUNNING|None
"""
SINFO = """\
node1|drained|Duplicate jobid
node1|drained|Duplicate jobid
node2|idle|none
node3|down*|Not responding
"""


def test_only_this_call_s_jobs_count() -> None:
    reasons, at_work = waiting.reasons_in(SQUEUE, {"12", "13"})
    assert reasons == Counter({"Resources": 1, "ReqNodeNotAvail, UnavailableNodes:node1": 1}) and not at_work
    assert waiting.reasons_in(SQUEUE, {"12", "99"})[1] and waiting.reasons_in(SQUEUE, {"14"}) == (Counter(), True)


def test_nodes_that_are_out_are_named_with_the_command_that_brings_them_back() -> None:
    nodes = waiting.nodes_in(SINFO)
    assert [(node.name, node.is_out) for node in nodes] == [("node1", True), ("node2", False), ("node3", True)]
    told = waiting.explained(Counter({"Resources": 2}), nodes)
    assert "node node1 is drained: Duplicate jobid" in told and "node2" not in told
    assert "scontrol update nodename=node1,node3 state=resume" in told


@pytest.mark.parametrize(
    ("reason", "says"),
    [
        ("Priority", "these run once there is room"),
        ("BadConstraints", "no node can ever run these"),
        ("QOSMaxCpuPerUserLimit", "a limit of the account"),
        ("Licenses", "ask an administrator"),
    ],
)
def test_every_reason_has_its_remedy(reason: str, says: str) -> None:
    told = waiting.explained(Counter({reason: 3}), waiting.nodes_in("node2|idle|none\n"))
    assert f"3 wait: 3 for {reason}" in told and says in told


@pytest.mark.parametrize("state", ["idle", "mixed", "allocated", "completing", "reserved"])
def test_nodes_at_work_are_not_blamed(state: str) -> None:
    assert not waiting.Node("n", state, "").is_out


def test_it_is_told_after_a_minute_once_and_again_after_ten() -> None:
    queue = waiting.Waiting(now=0.0)
    assert not queue.due(59.0) and queue.due(60.0)
    assert queue.news("a", 60.0) == "a" and queue.news("a", 70.0) is None and queue.news("b", 80.0) == "b"
    assert queue.news("b", 80.0 + waiting.AGAIN) == "b"
    queue.at_work(700.0)
    assert not queue.due(750.0) and queue.news("b", 760.0) == "b"


def test_states_may_be_asked_for_before_the_executor_is_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    """The asking thread starts first; an error in it would leave every submitted job waiting for ever."""

    def asked_at_once(self, workflow, logger) -> None:
        self.workflow, self.logger = workflow, logger
        self.found = asyncio.run(self._answer())

    async def answer(self) -> list:
        return [each async for each in self.check_active_jobs([])]

    monkeypatch.setattr(RemoteExecutor, "__init__", asked_at_once)
    monkeypatch.setattr(executor.Executor, "_answer", answer, raising=False)
    workflow = SimpleNamespace(executor_settings=SimpleNamespace(init_seconds_before_status_checks=2))
    logger = SimpleNamespace(debug=lambda _: None)
    assert executor.Executor(workflow, logger).found == []
