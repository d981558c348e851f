"""The pages about the project name files that are there, and commands that work today."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PAGES = (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"))
_QUOTED = re.compile(r"`([\w./-]+)`")
_SUFFIXES = (".py", ".md", ".yaml", ".toml", ".txt", ".j2", "/")
# A name that stands for any, or a file that a build makes.
_NO_FILES = ("NAME.yaml", "ANCHOR.html.j2", "report.html", "site/")


def paths_in(page: Path) -> list[str]:
    """Return what is quoted and looks like a path in the repository."""
    quoted = _QUOTED.findall(page.read_text(encoding="utf-8"))
    return [
        path
        for path in quoted
        if "/" in path and path.endswith(_SUFFIXES) and not path.endswith(_NO_FILES)
    ]


def test_contributing_names_files_that_are_there() -> None:
    named = paths_in(ROOT / "CONTRIBUTING.md")
    assert len(named) > 60
    places = (ROOT, ROOT / "src" / "textlora")
    assert [path for path in named if not any((at / path).exists() for at in places)] == []


def test_the_tree_in_the_readme_is_the_tree() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    tree = text.split("## What is where")[1].split("```text\n")[1].split("```")[0]
    inside = re.findall(r"^  ([\w.]+)", tree, re.MULTILINE)
    folders = {
        path.name
        for path in (ROOT / "src" / "textlora").iterdir()
        if (path / "__init__.py").exists()
    }
    assert folders <= set(inside)
    assert all((ROOT / "src" / "textlora" / name).exists() for name in inside)


def test_the_site_has_every_page() -> None:
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    nav = yaml.safe_load(text.split("\nnav:\n")[1])
    listed = re.findall(r"[\w-]+\.md", str(nav))
    assert sorted(listed) == sorted(path.name for path in (ROOT / "docs").glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_nothing_is_installed_from_an_index_that_lacks_it(page: Path) -> None:
    asked = re.findall(r"pip install '?textlora[^\n`]*", page.read_text(encoding="utf-8"))
    assert [line for line in asked if "@ git+" not in line] == []
