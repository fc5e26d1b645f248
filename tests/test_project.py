"""What a stranger needs to join: the files about the project say what is so."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from parity.installed import DISTRIBUTION, __version__

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
FORMS = sorted(path for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml") if path.stem != "config")


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def make_targets() -> dict[str, list[str]]:
    """Each target of the Makefile with its commands."""
    rules = re.findall(r"^([\w-]+): .*\n((?:\t.*\n)*)", text("Makefile"), flags=re.MULTILINE)
    return {name: [line.strip().replace("$(BIN)", ".venv/bin") for line in lines.splitlines()] for name, lines in rules}


def workflow(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(text(f".github/workflows/{name}.yml"))
    return loaded


# -- changelog and citation ---------------------------------------------------------------------------------------


def test_the_changelog_keeps_the_format() -> None:
    """Versions, the newest first, below an unreleased one; in each of them the headings of Keep a Changelog, once."""
    title, *versions = re.split(r"^## ", text("CHANGELOG.md"), flags=re.MULTILINE)
    assert title.startswith("# Changelog\n")
    assert versions[0].startswith("[Unreleased]\n")
    released = [re.match(r"\[(\d+)\.(\d+)\.(\d+)\] - (\d{4}-\d\d-\d\d)\n", version) for version in versions[1:]]
    assert all(released), "a heading is: ## [1.2.3] - 2026-01-31"
    numbers = [tuple(map(int, heading.groups()[:3])) for heading in released if heading]
    days = [date.fromisoformat(heading[4]) for heading in released if heading]
    assert numbers == sorted(set(numbers), reverse=True) and days == sorted(days, reverse=True)
    for version in versions:
        headings = re.findall(r"^### (.*)$", version, flags=re.MULTILINE)
        order = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]
        assert headings == [heading for heading in order if heading in headings]
        for part in re.split(r"^### .*$", version, flags=re.MULTILINE)[1:]:
            assert re.match(r"\n\n\* .", part), "a heading has entries"


def test_the_citation_has_what_the_format_requires_and_this_version() -> None:
    """CFF 1.2.0 requires these four; an author who is no person has a ``name``."""
    citation = yaml.safe_load(text("CITATION.cff"))
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    assert citation["cff-version"] == "1.2.0"
    assert citation["authors"] and all("name" in author or "family-names" in author for author in citation["authors"])
    assert citation["version"] == __version__
    assert citation["license"] == tomllib.loads(text("pyproject.toml"))["project"]["license"]


# -- commands -----------------------------------------------------------------------------------------------------


def test_the_hooks_before_a_commit_are_the_commands_of_make_lint() -> None:
    (repository,) = yaml.safe_load(text(".pre-commit-config.yaml"))["repos"]
    assert repository["repo"] == "local"
    assert [hook["entry"] for hook in repository["hooks"]] == make_targets()["lint"]
    for hook in repository["hooks"]:
        assert {"id", "name", "entry", "language"} <= set(hook)
        assert hook["language"] == "system" and hook["pass_filenames"] is False


def commands(page: str) -> list[str]:
    blocks = re.findall(r"^```sh\n(.*?)^```", text(page), flags=re.DOTALL | re.MULTILINE)
    return [line.split("#")[0].strip() for block in blocks for line in block.splitlines()]


def test_every_make_command_for_contributors_exists() -> None:
    wanted = {command.split()[1] for command in commands("CONTRIBUTING.md") if command.startswith("make ")}
    steps = [
        step.get("run", "")
        for path in WORKFLOWS
        for job in workflow(path.stem)["jobs"].values()
        for step in job["steps"]
    ]
    wanted |= set(re.findall(r"^make ([\w-]+)", "\n".join(steps), flags=re.MULTILINE))
    assert {"test", "test-all", "lint", "docs"} <= wanted <= set(make_targets())


@pytest.mark.slow
@pytest.mark.parametrize("command", [c for c in commands("CONTRIBUTING.md") if c.startswith(".venv/bin/pytest")])
def test_every_pytest_command_for_contributors_finds_tests(command: str) -> None:
    words = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *command.split()[1:]]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr  # 5 where no test is left


def test_no_file_is_longer_than_contributors_are_asked_for() -> None:
    limit = int(re.findall(r"One idea in one file, of (\d+) lines at most", text("CONTRIBUTING.md"))[0])
    files = [path for name in ("refimpl", "parity", "benchmarks", "tests") for path in (ROOT / name).rglob("*.py")]
    assert len(files) > 500
    lengths = {path.relative_to(ROOT).as_posix(): path.read_bytes().count(b"\n") for path in files}
    assert not {name: length for name, length in lengths.items() if length > limit}


# -- what runs on GitHub ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_may_write_nothing_unless_a_job_says_so_and_ends_by_itself(path: Path) -> None:
    document = workflow(path.stem)
    assert document["permissions"] == {"contents": "read"}
    for job in document["jobs"].values():
        assert job["timeout-minutes"] <= 350
        for step in job["steps"]:
            assert "uses" not in step or re.fullmatch(r"[\w.-]+/[\w.-]+@(v\d+|release/v\d+)", step["uses"])


def test_the_fast_tests_run_on_every_python_that_is_promised_and_on_the_lowest_versions() -> None:
    jobs = workflow("test")["jobs"]
    assert jobs["fast"]["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13", "3.14"]
    assert tomllib.loads(text("pyproject.toml"))["project"]["requires-python"] == ">=3.11"
    lowest = "\n".join(step.get("run", "") for step in jobs["lowest"]["steps"])
    assert "--resolution lowest-direct" in lowest and "--python 3.11" in lowest


def test_a_release_is_published_without_a_token_by_the_job_that_does_nothing_else() -> None:
    document = workflow("release")
    publish = document["jobs"]["publish"]
    assert publish["permissions"] == {"id-token": "write"} and "permissions" not in document["jobs"]["build"]
    assert publish["environment"]["url"].rstrip("/").endswith(f"/{DISTRIBUTION}")
    assert "secrets" not in text(".github/workflows/release.yml")
    assert f"dist/{DISTRIBUTION.replace('-', '_')}-" in text(".github/workflows/release.yml")


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_an_issue_form_has_what_github_requires(path: Path) -> None:
    form = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert {"name", "description", "body"} <= set(form)
    questions = [item for item in form["body"] if item["type"] != "markdown"]
    assert all(item["attributes"]["label"] for item in questions)
    assert len({item["id"] for item in questions}) == len(questions)
    assert any(item.get("validations", {}).get("required") for item in questions)


def test_a_doubted_verdict_comes_with_its_json() -> None:
    form = yaml.safe_load(text(".github/ISSUE_TEMPLATE/doubtful-verdict.yml"))
    assert form["name"] == "A verdict that I doubt"
    (asked,) = [item for item in form["body"] if item["id"] == "json"]
    assert "--json" in asked["attributes"]["label"] and asked["validations"]["required"]


@pytest.mark.slow
def test_the_mutants_of_a_small_file_are_made_and_noticed() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.mutants", "--quick", "--jobs", "1"], cwd=ROOT, capture_output=True, text=True
    )
    assert run.returncode == 0 and "100.0% noticed" in run.stdout, run.stdout + run.stderr
