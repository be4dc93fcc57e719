"""lm-eval's task definitions, applied to the data that a suite names."""

import difflib
import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from pathlib import Path

from datasets import Dataset
from datasets.exceptions import DatasetNotFoundError
from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled
from lm_eval.api.task import ConfigurableTask
from lm_eval.defaults import DEFAULT_OTHER_SEED
from lm_eval.tasks import TaskManager
from lm_eval.tasks._factory import TaskFactory
from lm_eval.tasks.manager import TaskDict

import scripts.evaluation.world_tasks.rules as rules
from scripts.evaluation.benchmark_files import holds_splits, split_rows
from scripts.lib.config.evaluation import HarnessSuite
from scripts.lib.errors import InputError

WORLD_TASKS = Path(rules.__file__).parent

NEED_SENTENCES = {"length_constraints:number_sentences", "change_case:capital_word_frequency"}
"""IFEval's instructions for which lm-eval splits the response into sentences with NLTK."""


class LocalTask(ConfigurableTask):
    """A task defined by lm-eval or by the didactic world, whose data is a local file, folder or zip.

    ``dataset_kwargs`` gives the path, and whether few-shot examples are needed. A file holds the split to evaluate; a
    folder or zip holds all splits, read by scripts.evaluation.benchmark_files.
    """

    def __init__(self, config: dict) -> None:
        super().__init__(config={key: value for key, value in config.items() if key != "class"})

    def download(self, dataset_kwargs: dict, **_kwargs) -> None:
        path = Path(dataset_kwargs["path"])
        asked = self.config.test_split or self.config.validation_split
        others = {self.config.validation_split, self.config.training_split, self.fewshot_cfg.split} - {None, asked}
        if dataset_kwargs["shots"] and others and not holds_splits(path):
            raise InputError(
                path,
                f"one file holds the questions of {self.config.task} and no few-shot examples",
                f"give a folder with a file for each split: {', '.join([asked, *sorted(others)])}",
            )
        subset = self.config.dataset_name
        self.dataset = dict.fromkeys([asked, *others], _dataset(split_rows(path, subset, asked)))
        if dataset_kwargs["shots"]:
            self.dataset |= {split: _dataset(split_rows(path, subset, split)) for split in others}


def _dataset(rows: list[dict]) -> Dataset:
    columns = dict.fromkeys(column for row in rows for column in row)
    return Dataset.from_dict({column: [row.get(column) for row in rows] for column in columns})


def task_manager(suites: Mapping[str, HarnessSuite]) -> TaskManager:
    """lm-eval's task manager for the suites; without lm-eval's own index (ten seconds) if no suite needs it."""
    return TaskManager(
        include_path=WORLD_TASKS, include_defaults=any(suite.data != "world" for suite in suites.values())
    )


def load_tasks(
    manager: TaskManager, name: str, suite: HarnessSuite, data: Path | None = None, scored: bool = True
) -> TaskDict:
    """The tasks of one suite, with their data; ``data`` replaces the data that the suite names.

    scored: whether answers will be scored, or only questions read. Raises InputError if there is no such task, if its
    data is missing (with the remedy), or if the task or its scoring needs a package or file that is missing.
    """
    path = data or (None if suite.data in (None, "world") else Path(suite.data))
    if path is None and suite.data == "world":
        raise InputError(f"suite {name}", "its questions are made, not downloaded", f"pass --data {name}=FILE")
    entry = manager.task_index.get(suite.task)
    if entry is None:
        near = difflib.get_close_matches(suite.task, manager.all_tasks, n=5)
        raise InputError(
            f"suite {name}",
            f"lm-eval has no task {suite.task}",
            f"use {' or '.join(near)}" if near else "use one that `lm-eval ls tasks` lists",
        )
    overrides: dict = {"num_fewshot": suite.shots}
    if path is not None:
        overrides |= {"class": LocalTask, "dataset_kwargs": {"path": str(path), "shots": suite.shots}}
    try:
        with redirect_stdout(sys.stderr):  # IFEval's module prints on import what it downloads or failed to
            built = TaskFactory().build(entry, overrides=overrides, registry=manager.task_index)
            loaded = manager.load(built if isinstance(built, list) else [built])
    except (OfflineModeIsEnabled, DatasetNotFoundError, HfHubHTTPError, ConnectionError, FileNotFoundError) as error:
        raise InputError(
            f"suite {name}",
            f"the data of task {suite.task} is neither cached nor to be had from the hub ({error})",
            "run once with a network and without HF_HUB_OFFLINE, or name local files as the suite's data",
        ) from error
    except ImportError as error:
        raise InputError(f"suite {name}", f"{error}", "install what lm-eval's task asks for") from error
    if path is not None and not holds_splits(path) and len(loaded["tasks"]) > 1:
        raise InputError(
            path,
            f"one file for the {len(loaded['tasks'])} tasks of {suite.task}",
            "give a folder with a folder for each subset, named as the hub's dataset names it",
        )
    for task in loaded["tasks"].values():
        task.set_fewshot_seed(DEFAULT_OTHER_SEED)
    if scored and suite.data != "world" and "ifeval" in suite.task:
        _prepare_ifeval(
            name, [doc for task in loaded["tasks"].values() for _, doc in task.doc_iterator(limit=suite.limit)]
        )
    return loaded


def _prepare_ifeval(name: str, questions: list[dict]) -> None:
    """Seed language detection. Raises InputError if questions need NLTK's punkt data and it is missing.

    lm-eval has already tried to download it.
    """
    from langdetect import DetectorFactory  # an extra of lm-eval, which has already imported it

    DetectorFactory.seed = DEFAULT_OTHER_SEED
    counting = sum(not NEED_SENTENCES.isdisjoint(question["instruction_id_list"]) for question in questions)
    if not counting:
        return
    import nltk  # takes 1.5 s, which no other task needs

    try:
        nltk.data.find("tokenizers/punkt_tab")
    except LookupError:
        raise InputError(
            f"suite {name}",
            f"{counting} of its {len(questions)} questions count sentences or words in capitals, "
            "which needs NLTK's punkt_tab data, which is not here and cannot be downloaded",
            "run `python -m nltk.downloader -d DIR punkt_tab` where there is a network, and set NLTK_DATA=DIR here; "
            "or give a file without these questions",
        ) from None
