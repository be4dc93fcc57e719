"""Checks that files are, byte for byte, those that were recorded.

DVC trusts the names of files in its cache and from a remote. A damaged disk or an interrupted transfer would reach
results/ unnoticed, so the content is read once more after every restore.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

import yaml

from scripts.lib.errors import InputError
from scripts.versioning.store import LOCK


def damaged(root: Path, cache: Path, paths: Sequence[str]) -> dict[str, str]:
    """The existing files, under some paths or all, that differ from the recorded ones: path -> recorded MD5."""
    asked = [PurePosixPath(path) for path in paths]
    here = {
        path: md5
        for path, md5 in recorded(root, cache).items()
        if (not asked or any(PurePosixPath(path).is_relative_to(each) for each in asked)) and (root / path).is_file()
    }
    return _other(here, lambda path: root / path)


def recorded(root: Path, cache: Path) -> dict[str, str]:
    """Path -> MD5 of every recorded file, without folders whose listing is not in the cache."""
    files = {}
    for path, md5 in _outputs(root).items():
        if not md5.endswith(".dir"):
            files[path] = md5
        elif (listing := _object(cache, md5)).exists():
            entries = json.loads(listing.read_text(encoding="utf-8"))
            files |= {f"{path}/{entry['relpath']}": entry["md5"] for entry in entries}
    return files


def drop_listings(root: Path, cache: Path) -> None:
    """Delete damaged listings of folders from the cache, so that they are fetched again."""
    folders = [md5 for md5 in _outputs(root).values() if md5.endswith(".dir") and _object(cache, md5).exists()]
    for md5 in _other({md5: md5.removesuffix(".dir") for md5 in folders}, lambda md5: _object(cache, md5)):
        _object(cache, md5).unlink()


def drop(root: Path, cache: Path, files: dict[str, str]) -> None:
    """Delete damaged files, and their copies in the cache if those are damaged too."""
    for path, md5 in files.items():
        if _object(cache, md5).exists() and _md5(_object(cache, md5)) != md5:
            _object(cache, md5).unlink()
        (root / path).unlink()


def _outputs(root: Path) -> dict[str, str]:
    """The outputs in dvc.lock: path -> MD5, a folder's ending in .dir."""
    try:
        stages = yaml.safe_load((root / LOCK).read_text(encoding="utf-8"))["stages"]
        return {each["path"]: each["md5"] for stage in stages.values() for each in stage.get("outs", [])}
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        raise InputError(root / LOCK, f"cannot be read ({error})", "restore it from version control") from error


def _object(cache: Path, md5: str) -> Path:
    return cache / md5[:2] / md5[2:]


def _other(expected: dict[str, str], place: Callable[[str], Path]) -> dict[str, str]:
    """Those of name -> MD5 whose file has a different MD5."""
    with ThreadPoolExecutor() as pool:
        found: Iterable[str] = pool.map(lambda name: _md5(place(name)), expected)
        return {name: md5 for (name, md5), other in zip(expected.items(), found, strict=True) if md5 != other}


def _md5(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()
