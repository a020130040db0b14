"""The documents' relative links lead somewhere; their tables are current."""

import re
import subprocess

import pytest
from places import REPOSITORY

from docs import excerpts

LINK = re.compile(r"!?\[[^]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)


def documents():
    """Every Markdown file of the repository that is not ignored."""
    listed = subprocess.run(
        "git ls-files --cached --others --exclude-standard *.md".split(),
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    paths = {REPOSITORY / name for name in listed.stdout.splitlines()}
    return sorted(path for path in paths if path.is_file())


def prose(path):
    """A document without its code blocks, where # is a comment."""
    return re.sub(
        r"```.*?```|^    [^\n]*$",
        "",
        path.read_text("utf-8"),
        flags=re.DOTALL | re.MULTILINE,
    )


def anchors(path):
    """Headings as GitHub names them in links."""
    headings = HEADING.findall(prose(path))
    words = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {word.strip().replace(" ", "-") for word in words}


def broken(path):
    """Relative links of a document that lead nowhere, and how many it has."""
    links = [link for link in LINK.findall(prose(path)) if ":" not in link]
    missing = []
    for link in links:
        name, _, anchor = link.partition("#")
        target = path.parent / name if name else path
        there = target.exists() and (
            not anchor or anchor in anchors(target.resolve())
        )
        missing += [] if there else [link]
    return missing, len(links)


def test_every_relative_link_leads_somewhere():
    found = {path: broken(path) for path in documents()}
    assert {p: missing for p, (missing, _) in found.items() if missing} == {}
    assert len(found) > 12 and sum(count for _, count in found.values()) > 60


def test_a_broken_link_and_a_broken_anchor_are_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# Read me\n[a](none.md) [b](#read-me) [c](#no)\n")
    assert broken(page) == (["none.md", "#no"], 3)


BLOCK = re.compile(r"<!-- begin (.+?) -->\n.*?<!-- end \1 -->", re.DOTALL)


def test_every_block_is_made_by_a_command_that_is_named():
    blocks = {
        (path.relative_to(REPOSITORY).as_posix(), name)
        for path in documents()
        for name in BLOCK.findall(prose(path))
    }
    known = {*excerpts.BLOCKS, *excerpts.MEASURED}
    assert blocks == known and len(known) == len(excerpts.BLOCKS) + len(
        excerpts.MEASURED
    )


@pytest.mark.parametrize("path, marker", excerpts.BLOCKS)
def test_a_block_is_what_the_archives_give(path, marker):
    shown = excerpts.marked(REPOSITORY / path, marker)
    assert shown == excerpts.text_of(path, marker), "run make readme"


@pytest.mark.parametrize(
    "study", ["report", "report_whisper", "report_embedded"]
)
def test_a_committed_report_is_what_its_archive_gives(study):
    page = (excerpts.folder_of(study) / "report.md").read_text("utf-8")
    assert page == excerpts.report_page(study), "run make readme"


@pytest.mark.parametrize(
    "path", ["README.md", "docs", "recipes/EmoDB/MLKD/README.md"]
)
def test_documents_stay_short(path):
    pages = REPOSITORY / path
    pages = sorted(pages.glob("*.md")) if pages.is_dir() else [pages]
    assert pages
    limit = 180 if path == "README.md" else 200
    lengths = {p: len(p.read_text("utf-8").splitlines()) for p in pages}
    assert all(length <= limit for length in lengths.values()), lengths
