"""MkDocs hook: files of the repository to which pages link are pages of the site too.

Markdown comes in as it is, such as the studies' READMEs; other files as text; a folder as its README, or as a list.
Links between all of them work as they do in the repository. A link to a missing file fails the strict build.
"""

import logging
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

log = logging.getLogger("mkdocs.hooks.repository")

LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)\s#]+)")
"""The path in a Markdown link; not an address, and not a place on the same page."""
LANGUAGES = {".py": "python", ".csv": "text", ".json": "json", ".yaml": "yaml", ".smk": "python"}
DOCS = "docs"
TEXT = "---\nsearch: {{exclude: true}}\n---\n\n# `{path}`\n\n{body}\n"
"""A page that shows a file; searches look through the pages that were written to be read."""


def linked(page: str, markdown: str) -> Iterator[str]:
    """The paths in the repository to which a page links. page: its own path there."""
    for link in LINK.findall(markdown):
        yield posixpath.normpath(posixpath.join(posixpath.dirname(page), link))


def page_of(path: str, root: Path) -> str:
    """Where the site has a path of the repository. Pages of docs/ stand at the top, all others under their own path."""
    if (root / path).is_dir():
        readme = f"{path}/README.md"
        return page_of(readme, root) if (root / readme).exists() else f"{path}/index.md"
    inside = posixpath.relpath(path, DOCS)
    if not inside.startswith(".."):
        return inside
    return path if path.endswith(".md") else f"{path}.md"


def text_of(path: str, root: Path) -> str:
    """A file or folder as Markdown."""
    file = root / path
    if file.is_dir():
        names = sorted(each.name for each in file.iterdir() if not each.name.startswith(("_", ".")))
        return TEXT.format(path=path, body="\n".join(f"- `{name}`" for name in names))
    content = file.read_text(encoding="utf-8")
    if path.endswith(".md"):
        return content
    language = LANGUAGES.get(file.suffix, "text")
    return TEXT.format(path=path, body=f"~~~~~~ {language}\n{content}\n~~~~~~")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds what the pages link to, what that links to, and so on; and the pages that only the navigation names."""
    root = Path(config.config_file_path).parent
    waiting = [f"{DOCS}/{each.src_uri}" for each in files.documentation_pages()]
    waiting += [path for path in _in_navigation(config.nav) if not (root / DOCS / path).exists()]
    while waiting:
        page = waiting.pop()
        if not (root / page).exists():
            log.warning("%s does not exist, and a page links to it", page)
            continue
        if files.get_file_from_path(page_of(page, root)) is None:
            files.append(File.generated(config, page_of(page, root), content=text_of(page, root)))
        elif not page.startswith(f"{DOCS}/"):
            continue
        if page.endswith(".md"):
            markdown = (root / page).read_text(encoding="utf-8")
            waiting += [path for path in linked(page, markdown) if not path.startswith(f"{DOCS}/")]
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links as the site has them."""
    root = Path(config.config_file_path).parent
    here = page.file.src_uri
    own = f"{DOCS}/{here}" if (root / DOCS / here).exists() else here
    if not (root / own).exists():  # shows a file: its text is no Markdown of ours
        return markdown

    def as_on_site(link: re.Match[str]) -> str:
        target = page_of(posixpath.normpath(posixpath.join(posixpath.dirname(own), link[1])), root)
        return posixpath.relpath(target, posixpath.dirname(here) or ".")

    return LINK.sub(as_on_site, markdown)


def _in_navigation(entries: object) -> Iterator[str]:
    if isinstance(entries, str):
        yield entries
    for each in entries.values() if isinstance(entries, dict) else entries if isinstance(entries, list) else ():
        yield from _in_navigation(each)
