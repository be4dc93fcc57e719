"""Checks a given model, a hub id or a local folder, and writes its policy.json.

What would fail hours later fails here: no such model, an architecture that transformers does not know, code of its own,
weights that are not safetensors, a tokenizer without a chat template, a template that does not fit or that writes
today's date, a max_length beyond the model's positions. A local folder's files are recorded with their SHA-256, a hub
id with its commit, so that another model under the same name gives another policy.json. Weights are not loaded.
"""

import logging
from dataclasses import replace
from pathlib import Path

from huggingface_hub import HfApi, hf_hub_download
from huggingface_hub.errors import HFValidationError, HTTPError
from safetensors import SafetensorError, safe_open
from transformers import MODEL_FOR_CAUSAL_LM_MAPPING, AutoConfig, PretrainedConfig

from scripts.lib.chat import encode
from scripts.lib.cli import parser_of, run, spec_of
from scripts.lib.config.policies import GivenPolicy
from scripts.lib.encoding import Rules
from scripts.lib.errors import InputError, in_short
from scripts.lib.models import CODE, SAFE, PolicyCard, load_tokenizer, sha256_of, write_policy
from scripts.lib.tables import read_json
from scripts.lib.templates import template_of

log = logging.getLogger(__name__)

WEIGHTS = ".safetensors"
KEPT = (".jinja", ".json", ".model", ".txt", WEIGHTS)
"""Endings of the files in a model folder that transformers may read, apart from code that the model may run."""

GREETING = [{"role": "user", "content": "Hello"}]


def card_of(name: str, spec: GivenPolicy) -> PolicyCard:
    """The checked card of a given policy. Raises InputError with what does not fit and the remedy."""
    folder = Path(spec.model)
    if folder.is_dir():
        revision = None
        kept = (*KEPT, CODE) if spec.trust_remote_code else KEPT
        present = sorted(path.name for path in folder.iterdir() if path.is_file() and path.suffix in kept)
        files = {file: sha256_of(folder / file) for file in present if file != "policy.json"}
    else:
        revision, present = hub_files(spec.model, spec.revision)
        files = {}
    check_weights(spec.model, present)
    check_weight_files(folder, [file for file in files if file.endswith(WEIGHTS)])
    card = PolicyCard(
        name=name,
        kind=spec.kind,
        model=spec.model,
        revision=revision,
        max_length=spec.max_length,
        chat_template=template_of(spec.chat_template),
        logprob_precision=spec.logprob_precision,
        files=files,
        trust_remote_code=spec.trust_remote_code,
        rules=Rules(spec.refused, spec.control_in_text),
    )
    if spec.template_date:
        card = replace(card, chat_template=load_tokenizer(card, spec.template_date).chat_template)
    check_fit(card)
    return card


def hub_files(model: str, revision: str | None) -> tuple[str, list[str]]:
    """The commit of a hub model and its file names: from the hub, else from the local cache."""
    try:
        info = HfApi().model_info(model, revision=revision)
        return info.sha, sorted(each.rfilename for each in info.siblings)
    except HFValidationError as error:
        raise InputError(model, "no such folder, and no hub id", "fix the policy's model") from error
    except (HTTPError, OSError) as error:
        log.info("the hub does not answer for %s (%s): looking in the local cache", model, type(error).__name__)
    try:
        folder = Path(hf_hub_download(model, "config.json", revision=revision, local_files_only=True)).parent
    except OSError as error:
        raise InputError(
            model,
            f"neither a folder, nor on the hub (revision {revision or 'main'}), nor in the local cache",
            "fix the policy's model, or download it first: hf download " + model,
        ) from error
    return folder.name, sorted(path.name for path in folder.iterdir() if path.is_file())


def check_weights(model: str, files: list[str]) -> None:
    """Raises InputError unless there are weights in safetensors files."""
    if not any(file.endswith(WEIGHTS) for file in files):
        raise InputError(
            model,
            "no .safetensors weights",
            "save it once with transformers' save_pretrained, or name a revision that has them; pickled weights "
            "(.bin, .pt) can run code and are never read",
        )


def check_weight_files(folder: Path, files: list[str]) -> None:
    """Raises InputError unless a local folder's safetensors files are complete and include all that its index names."""
    index = folder / "model.safetensors.index.json"
    named = set(read_json(index)["weight_map"].values()) if files and index.is_file() else set()
    for file in sorted(named | set(files)):
        try:
            with safe_open(folder / file, "pt"):
                pass
        except (OSError, SafetensorError) as error:
            raise InputError(folder / file, f"no whole safetensors file ({error})", "download it again") from error


def check_fit(card: PolicyCard) -> None:
    """Raises InputError unless config, tokenizer, chat template and max_length are compatible."""
    tokenizer = load_tokenizer(card)
    config = config_of(card).get_text_config(decoder=True)
    if len(tokenizer) > config.vocab_size:
        raise InputError(
            card.model,
            f"its tokenizer has {len(tokenizer)} tokens, its model {config.vocab_size}",
            "give model and tokenizer that belong together",
        )
    positions = getattr(config, "max_position_embeddings", None)
    if positions is not None and card.max_length > positions:
        raise InputError(
            card.model,
            f"max_length {card.max_length} is more than the model's {positions} positions",
            f"set the policy's max_length to {positions} or less",
        )
    encode(tokenizer, GREETING, "Hello", card.max_length)


def config_of(card: PolicyCard) -> PretrainedConfig:
    """The model's configuration. Raises InputError if it is unreadable or not of a known causal language model."""
    try:
        config = AutoConfig.from_pretrained(
            card.model, revision=card.revision, trust_remote_code=card.trust_remote_code
        )
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise InputError(
            card.model,
            f"no readable config.json ({in_short(error)})",
            f"give a model that transformers knows, with {SAFE}; or, once its code is read, say "
            "trust_remote_code: true in the policy's entry",
        ) from error
    own = card.trust_remote_code and "AutoModelForCausalLM" in (getattr(config, "auto_map", None) or {})
    if not own and type(config) not in MODEL_FOR_CAUSAL_LM_MAPPING:
        raise InputError(
            card.model, f"a {config.model_type} is no causal language model", "give one that predicts the next token"
        )
    return config


def main() -> None:
    parser = parser_of("scripts.training.given", __doc__)
    parser.add_argument("--name", required=True, help="the policy's name")
    parser.add_argument("--spec", type=spec_of(GivenPolicy), required=True, help="GivenPolicy as JSON")
    parser.add_argument("--out", type=Path, required=True, help="the policy.json to write")
    arguments = parser.parse_args()
    write_policy(card_of(arguments.name, arguments.spec), arguments.out)


if __name__ == "__main__":
    run(main)
