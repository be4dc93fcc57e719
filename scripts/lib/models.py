"""Policies on disk and in memory: the card next to a model, its tokenizer, its weights.

Weights are read from safetensors files only. Code that comes with a model is run only if its card allows it.
"""

import hashlib
import shutil
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import torch
from safetensors import SafetensorError
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    GenerationConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)
from transformers.utils.logging import disable_progress_bar

from scripts.lib import devices
from scripts.lib.disk import replacing, temporary_of, told
from scripts.lib.encoding import RULES, Rules
from scripts.lib.errors import InputError, in_short
from scripts.lib.tables import read_json, write_json
from scripts.lib.templates import own_template, settled
from scripts.lib.threads import cpu_threads

POLICY_FILES = (
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
    "chat_template.jinja",
)
"""The files of a policy trained here, besides its policy.json."""

CODE = ".py"
SAFE = "safetensors weights and without code of its own"

disable_progress_bar()  # the steps log their own progress

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class PolicyCard:
    """The content of policy.json.

    kind: given, scratch or trained. model: hub id or folder ("." on disk: the card's own). revision: hub commit.
    max_length: tokens of prompt and response together. chat_template: Jinja text used in place of the tokenizer's own,
    or None. logprob_precision: of stored log-probs. files: file name -> SHA-256 for a local folder; empty for a hub id,
    which the commit identifies. trust_remote_code: whether the configuration allows the model's own code to run.
    rules: for rows that do not fit the chat template. threads: CPU threads that the model was trained with
    (scripts/lib/threads.py); None if on a GPU, or not here.
    """

    name: str
    kind: str
    model: str
    revision: str | None
    max_length: int
    chat_template: str | None
    logprob_precision: str
    files: dict[str, str]
    trust_remote_code: bool = False
    rules: Rules = RULES
    threads: int | None = None


def read_policy(path: str | Path) -> PolicyCard:
    """The card at ``path`` (a policy.json), with a model of "." replaced by the card's absolute folder."""
    value = read_json(path)
    expected = [field.name for field in fields(PolicyCard)]
    if not isinstance(value, dict) or sorted(value) != sorted(expected):
        raise InputError(path, f"a policy has exactly the keys {', '.join(expected)}", "run snakemake to make it again")
    card = PolicyCard(**value | {"rules": Rules(**value["rules"])})
    return replace(card, model=str(Path(path).resolve().parent)) if card.model == "." else card


def write_policy(card: PolicyCard, path: str | Path) -> None:
    """Write a card as policy.json."""
    write_json(asdict(card), path)


def load_tokenizer(card: PolicyCard, date: str | None = None) -> PreTrainedTokenizerFast:
    """The policy's tokenizer, with the card's chat template if it has one.

    date: the day, as 2024-07-26, that the template writes in place of today's. A tokenizer without a padding token
    pads with its end-of-text token. Raises InputError if it is unreadable, changed since the card was written, slow (no
    ``tokenizers`` backend), without a chat template, or if the template depends on more than the conversation.
    """
    check_files(card, weights=False)
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            card.model, revision=card.revision, trust_remote_code=card.trust_remote_code
        )
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise _unreadable(card, "tokenizer", error) from error
    if not tokenizer.is_fast:
        raise InputError(card.model, "has only a slow tokenizer", "save it once as tokenizer.json (tokenizers format)")
    for key in ("is_local", "local_files_only"):  # how it was loaded; would be saved with it
        tokenizer.init_kwargs.pop(key, None)
    tokenizer.chat_template = card.chat_template or own_template(tokenizer)
    if not tokenizer.chat_template:
        raise InputError(
            card.model,
            "its tokenizer has no chat template",
            "put one into the folder as chat_template.jinja, such as its fine-tuned sibling's; or name the file as "
            f"chat_template of policy {card.name}",
        )
    tokenizer.chat_template = settled(tokenizer.chat_template, date, card.model)
    if tokenizer.pad_token_id is None:
        if tokenizer.eos_token is None:
            raise InputError(card.model, "its tokenizer has no eos_token", "name one in tokenizer_config.json")
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def load_causal(
    card: PolicyCard, precision: str = "float32", device: torch.device | str | None = None
) -> PreTrainedModel:
    """The policy's model in eval mode, weights in ``precision``, on ``device`` (default: :func:`device`).

    Of its generation_config.json only the token ids are kept: sampling settings come from the configuration. Raises
    InputError if it is unreadable, not in safetensors, or changed since the card was written.
    """
    check_files(card, weights=True)
    try:
        model, report = AutoModelForCausalLM.from_pretrained(
            card.model,
            revision=card.revision,
            dtype=PRECISIONS[precision],
            use_safetensors=True,
            trust_remote_code=card.trust_remote_code,
            output_loading_info=True,
        )
    except (OSError, ValueError, KeyError, ImportError, RuntimeError, SafetensorError) as error:
        raise _unreadable(card, "model", error) from error
    if missing := sorted(report["missing_keys"]):
        raise InputError(
            card.model,
            f"its files lack {len(missing)} weights of the model, such as {missing[0]}",
            "give the folder or commit of a whole causal language model",
        )
    keep_token_ids_only(model)
    return _placed(model, device)


def device() -> torch.device:
    """CUDA if available, on a GPU that no other job uses, else the CPU."""
    devices.lease()
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def layers_of(model: PreTrainedModel) -> list[torch.nn.Module]:
    """The model's layers, which transformers declares must not be split, outer ones before the ones inside them."""
    names = model._no_split_modules or ()
    return [each for each in model.base_model.modules() if type(each).__name__ in names]


def keep_token_ids_only(model: PreTrainedModel) -> None:
    """Reset the model's generation config to greedy defaults with its own bos, eos and padding ids."""
    old = model.generation_config
    model.generation_config = GenerationConfig(
        bos_token_id=old.bos_token_id, eos_token_id=old.eos_token_id, pad_token_id=old.pad_token_id
    )


def save_policy(
    folder: str | Path,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    *,
    name: str,
    kind: str,
    max_length: int,
    logprob_precision: str = "float32",
    rules: Rules = RULES,
) -> PolicyCard:
    """Write POLICY_FILES into ``folder``, each atomically, then policy.json; returns the card as written.

    The old policy.json is deleted first, so that a killed write never leaves a card next to files that are not its own.
    Of the model's generation config only the token ids are kept.
    """
    keep_token_ids_only(model)
    folder = Path(folder)
    remove_card(folder / "policy.json")
    card = PolicyCard(
        name=name,
        kind=kind,
        model=".",
        revision=None,
        max_length=max_length,
        chat_template=None,
        logprob_precision=logprob_precision,
        files=save_model(folder, model, tokenizer, POLICY_FILES),
        rules=rules,
        threads=cpu_threads(),
    )
    write_policy(card, folder / "policy.json")
    return card


def remove_card(card: Path) -> None:
    """Create the folder of a card, and delete an old card in it."""
    with told(card):
        card.parent.mkdir(parents=True, exist_ok=True)
        card.unlink(missing_ok=True)


def save_model(
    folder: Path, model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, files: tuple[str, ...]
) -> dict[str, str]:
    """Write ``files`` of a model (one safetensors file, however large) atomically; returns file name -> SHA-256."""
    with told(folder):
        temporary = temporary_of(folder / "model")
        temporary.mkdir()
        try:
            model.save_pretrained(temporary, max_shard_size="1000TB")
            tokenizer.save_pretrained(temporary)
            for file in files:
                with replacing(folder / file) as target:
                    (temporary / file).rename(target)
        finally:
            shutil.rmtree(temporary)
    return {file: sha256_of(folder / file) for file in files}


def sha256_of(path: Path) -> str:
    """Hex SHA-256 of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_files(card: PolicyCard, weights: bool) -> None:
    """Raises InputError unless local files match the card: the model's code, and its weights or all other files."""
    for file, digest in card.files.items():
        if not file.endswith(CODE) and file.endswith(".safetensors") != weights:
            continue
        path = Path(card.model) / file
        if not path.is_file() or sha256_of(path) != digest:
            problem = "is not the file that policy.json lists" if path.is_file() else "no such file"
            raise InputError(path, problem, f"delete the policy.json of {card.name} and run snakemake again")


def _placed(model: PreTrainedModel, where: torch.device | str | None) -> PreTrainedModel:
    return model.to(where or device()).eval()


def _unreadable(card: PolicyCard, what: str, error: Exception) -> InputError:
    return InputError(
        card.model,
        f"no readable {what} ({in_short(error)})",
        f"give a hub id or folder of a causal language model that transformers knows, with {SAFE}; or, once its code "
        "is read, say trust_remote_code: true in the policy's entry",
    )
