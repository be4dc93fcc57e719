"""Says why a queue stands still: after a minute without a running job, what SLURM says of the jobs and of its nodes."""

import re
import time
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

PATIENCE = 60
"""Seconds without a running job until the queue is asked."""
AGAIN = 600
"""Seconds until the same answer is told again."""
SQUEUE = ("squeue", "--noheader", "--states=all", "--format=%i|%T|%r")
SINFO = ("sinfo", "--noheader", "--Node", "--format=%N|%T|%E")
BUSY = ("Resources", "Priority")
"""Reasons of jobs that wait for others to end."""
AT_WORK = ("RUNNING", "COMPLETING", "COMPLETED", "CONFIGURING")
LIMITS = ("Limit", "Grp", "QOS", "Assoc", "MaxCpu")
"""Parts of the reasons that an account's or a partition's limits have."""
IMPOSSIBLE = ("BadConstraints", "PartitionConfig", "PartitionNodeLimit", "PartitionTimeLimit", "InvalidQOS")


@dataclass(frozen=True)
class Node:
    """A node of the cluster. reason: an administrator's or SLURM's own, why it takes no jobs; empty if it does."""

    name: str
    state: str
    reason: str

    @property
    def is_out(self) -> bool:
        """Whether it takes no jobs until somebody brings it back."""
        return bool(re.match(r"down|drain|fail|error|unknown|not_resp", self.state.lower())) or self.state.endswith("*")


def reasons_in(printed: str, jobs: Collection[str]) -> tuple[Counter, bool]:
    """How many of some jobs wait for each reason, and whether one of them is at work. printed: by SQUEUE."""
    reasons: Counter = Counter()
    at_work = False
    for line in printed.splitlines():
        job, state, reason = line.strip().split("|", 2)
        if job in jobs:
            at_work |= state in AT_WORK
            if state == "PENDING":
                reasons[reason.strip("()")] += 1
    return reasons, at_work


def nodes_in(printed: str) -> list[Node]:
    """The nodes, each once. printed: by SINFO."""
    found = [line.strip().split("|", 2) for line in dict.fromkeys(printed.splitlines())]
    return [Node(name, state, "" if reason == "none" else reason) for name, state, reason in found]


def explained(reasons: Counter, nodes: Sequence[Node]) -> str:
    """What SLURM says, and what to do about it."""
    counted = ", ".join(f"{count} for {reason}" for reason, count in reasons.most_common())
    lines = [f"SLURM runs none of the jobs here; {sum(reasons.values())} wait: {counted}."]
    out = [node for node in nodes if node.is_out]
    for node in out:
        lines.append(f"  node {node.name} is {node.state}" + (f": {node.reason}" if node.reason else ""))
    if out:
        lines.append(f"  remedy: once the cause is gone, an administrator runs: {resume(out)}")
    elif any(reason in IMPOSSIBLE for reason in reasons):
        lines.append("  remedy: no node can ever run these: request less, or another partition, in the profile")
    elif any(part in reason for reason in reasons for part in LIMITS):
        lines.append(
            "  remedy: a limit of the account or partition; wait, lower `jobs` in the profile, or ask for more"
        )
    elif all(reason in BUSY for reason in reasons):
        lines.append("  Other jobs hold the processors; these run once there is room.")
    else:
        lines.append("  remedy: ask an administrator; `scontrol show job <id>` shows a job whole")
    return "\n".join(lines)


def resume(nodes: Sequence[Node]) -> str:
    return f"scontrol update nodename={','.join(dict.fromkeys(node.name for node in nodes))} state=resume"


class Waiting:
    """Notes when a job was last at work, and has something to tell if that is long ago."""

    def __init__(self, now: float | None = None) -> None:
        self.since = time.monotonic() if now is None else now
        self.told: tuple[str, float] = ("", 0.0)

    def due(self, now: float) -> bool:
        return now - self.since >= PATIENCE

    def at_work(self, now: float) -> None:
        self.since, self.told = now, ("", 0.0)

    def news(self, text: str, now: float) -> str | None:
        """The text, unless it was told lately."""
        if text == self.told[0] and now - self.told[1] < AGAIN:
            return None
        self.told = (text, now)
        return text
