"""Hardware: the measured throughput of a machine for each kind of work."""

from pydantic import Field

from scripts.lib.config.base import Count, NotNegative, Positive, Spec


class HardwareSpec(Spec):
    """Throughputs of one device, in tokens of prompt and response per second; a job's start is counted separately."""

    devices: Count = Field(1, description="Devices, one job on each at a time.")
    score: Positive
    sample: Positive
    logprobs: Positive
    train: Positive
    ask: Positive = Field(description="lm-eval's questions, each with its examples.")
    start_seconds: NotNegative = Field(0.0, description="Until a job has loaded its model.")
