"""Fixtures shared by all tests. Nothing here needs a network or a GPU."""

import os
import signal
import sys
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import pytest
from hypothesis import settings

# A shell's background jobs ignore it, and so would all that the tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)
# Examples run models and write files, so their duration depends on the machine.
settings.register_profile("prefatlas", deadline=None)
settings.load_profile("prefatlas")


def pytest_addoption(parser):
    parser.addoption("--data", type=Path, help="folder of real public files, for the tests that read some")
    parser.addoption("--vllm-python", type=Path, help="a Python that has vLLM, such as .venv-vllm/bin/python")


@pytest.fixture(scope="session")
def real_data(request):
    """The folder given by --data; without it the test is skipped."""
    folder = request.config.getoption("--data")
    if folder is None:
        pytest.skip("reads real files: give their folder by --data")
    return folder


AMPLIFIED = {"dpop": 50}
"""By how much an objective multiplies rounding errors: dpop's penalty has lam = 50."""


@pytest.fixture(scope="session", autouse=True)
def runs_start_at_their_reference():
    """Every run of a test in float32, whatever it is about, starts with the loss at its reference (log 2 under DPO)."""
    loop = sys.modules.get("scripts.training.loop")  # all that tests import is imported by now
    if loop is None:
        yield
        return
    from scripts.training.lessons import loss_at_reference

    def strictly(per_pair, batch, spec, stored, check=loop.check_start):
        check(per_pair, batch, spec, stored)
        if spec.precision == stored == "float32":
            # No closer than the rounding of the sums that it is made of.
            largest = max(abs(each.ref_chosen) + abs(each.ref_rejected) for each in batch)
            near = max(1e-6, spec.beta / 2 * largest * 2**-24) * AMPLIFIED.get(spec.objective, 1)
            expected = loss_at_reference(batch, spec)
            assert per_pair[0].double().mean().item() == pytest.approx(expected, rel=near, abs=near)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "check_start", strictly)
        yield


WORDS = "copy reverse sort add the list : ; a b c d e f g h 0 1 2 3 4 5 6 7 8 9 yes no is not answer"
"""The words that ``tiny_policy`` knows."""


@pytest.fixture(scope="session")
def tiny_policy(tmp_path_factory):
    """Folder of a policy in the Hugging Face layout (policy.json and POLICY_FILES).

    A 2-layer Llama with random weights, sharp enough to have clear preferences, and a ``words`` tokenizer over WORDS
    with a chat template. Shared by the whole session: do not write into it.
    """
    import torch
    from transformers import LlamaForCausalLM

    from scripts.lib.config.policies import Architecture
    from scripts.lib.models import save_policy
    from scripts.lib.scratch import tiny_llama_config, train_tokenizer

    folder = tmp_path_factory.mktemp("tiny") / "policy"
    tokenizer = train_tokenizer("words", [WORDS], 64)
    architecture = Architecture(tokenizer="words", vocabulary=64, hidden_size=16, layers=2, heads=2)
    config = tiny_llama_config(architecture, tokenizer, max_length=64)
    config.initializer_range = 0.3
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = LlamaForCausalLM(config)
    save_policy(folder, model, tokenizer, name="tiny", kind="scratch", max_length=64)
    return folder
