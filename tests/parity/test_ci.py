"""The workflow and the pre-commit hook for other repositories, run as they would be there."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
CI = ROOT / "examples" / "ci"
FAULT = "SGD(net.parameters(), lr=task.lr, weight_decay=task.l2)"
RIGHT = 'SGD([{"params": [net.weight], "weight_decay": task.l2}, {"params": [net.bias]}], lr=task.lr)'
TEST = "from train import train\n\n\ndef test_training(assert_parity):\n    assert_parity(train, 'check-mse')\n"

STEPS: list[dict[str, Any]] = yaml.safe_load((CI / "parity.yml").read_text(encoding="utf-8"))["jobs"]["parity"]["steps"]
COMMANDS = {step["name"]: step["run"] for step in STEPS if "run" in step}
(HOOK,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
(USED,) = yaml.safe_load((CI / "pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The project of a user: a training loop with a fault, and a test of it."""
    shutil.copy(ROOT / "examples" / "train_tutorial.py", tmp_path / "train.py")
    (tmp_path / "test_train.py").write_text(TEST, encoding="utf-8")
    return tmp_path


def mend(project: Path) -> None:
    text = (project / "train.py").read_text(encoding="utf-8")
    assert FAULT in text
    (project / "train.py").write_text(text.replace(FAULT, RIGHT), encoding="utf-8")


def environment(project: Path) -> dict[str, str]:
    """``parity`` and ``pytest`` by name, this checkout's."""
    commands = project / ".commands"
    commands.mkdir(exist_ok=True)
    for name in ("parity", "pytest"):
        options = " -p no:cacheprovider -p parity.pytest_plugin" if name == "pytest" else ""
        (commands / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" -m {name}{options} "$@"\n', encoding="utf-8")
        (commands / name).chmod(0o755)
    path = f"{commands}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}


def shell(project: Path, command: str) -> subprocess.CompletedProcess[str]:
    """As a runner of GitHub runs it: a shell that stops at the first failure."""
    words = ["bash", "-e", "-o", "pipefail", "-c", command]
    return subprocess.run(
        words, cwd=project, env=environment(project), capture_output=True, text=True, check=False, encoding="utf-8"
    )


@pytest.mark.slow
def test_the_steps_of_the_workflow_fail_and_then_pass(project: Path) -> None:
    assert list(COMMANDS) == ["install", "check", "tests"]
    assert COMMANDS["install"].startswith("pip install ") and "parity-project/parity" in COMMANDS["install"]
    check, tests = shell(project, COMMANDS["check"]), shell(project, COMMANDS["tests"])
    assert (check.returncode, tests.returncode) == (1, 1)
    report = json.loads((project / "report.json").read_text(encoding="utf-8"))
    assert [finding["id"] for finding in report["findings"]] == ["penalty-on-bias-too"]
    assert "the bias is decayed like the weight" in tests.stdout

    mend(project)
    check, tests = shell(project, COMMANDS["check"]), shell(project, COMMANDS["tests"])
    assert (check.returncode, tests.returncode) == (0, 0), check.stderr + tests.stdout
    assert json.loads((project / "report.json").read_text(encoding="utf-8"))["verdict"] == "agree"
    (upload,) = [step["with"]["path"].split() for step in STEPS if "upload-artifact" in step.get("uses", "")]
    assert upload == ["report.json", "parity-report/"]
    assert (project / "parity-report" / "junit.xml").is_file() and (project / "parity-report" / "check.json").is_file()
    broken = shell(project, COMMANDS["check"].replace("train.py:train", "train.py:nothing"))
    assert broken.returncode == 2 and len(broken.stderr.strip().splitlines()) == 1


def test_the_page_shows_both_files_and_the_workflow_names_the_actions_of_this_repository() -> None:
    page = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
    shown = re.findall(r"^```yaml\n(.*?)^```", page, flags=re.DOTALL | re.MULTILINE)
    assert shown == [(CI / name).read_text(encoding="utf-8") for name in ("parity.yml", "pre-commit-config.yaml")]
    own = "".join(path.read_text(encoding="utf-8") for path in (ROOT / ".github" / "workflows").glob("*.yml"))
    assert all(step["uses"] in own for step in STEPS if "uses" in step)


@pytest.mark.slow
def test_the_hook_refuses_a_fault_and_lets_its_remedy_pass(project: Path) -> None:
    """As pre-commit calls it: entry and arguments, in the root of the repository, without a shell."""
    assert HOOK["id"] == USED["hooks"][0]["id"] and HOOK["pass_filenames"] is False
    words = [*shlex.split(HOOK["entry"]), *USED["hooks"][0]["args"]]

    def commit() -> int:
        return subprocess.run(words, cwd=project, env=environment(project), capture_output=True, check=False).returncode

    assert commit() == 1
    mend(project)
    assert commit() == 0
    assert (project / "parity-results" / "pre-commit" / "check.json").is_file()


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("pre_commit") is None, reason="pre-commit is not installed")
def test_pre_commit_itself_takes_the_hook(project: Path) -> None:
    """From a repository with this file, in a repository of a user."""
    hooks = project / "hooks"
    hooks.mkdir()
    shutil.copy(ROOT / ".pre-commit-hooks.yaml", hooks)
    author = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    for place in (hooks, project):
        (place / ".gitignore").write_text("hooks/\n.commands/\n.cache/\nparity-results/\n", encoding="utf-8")
        subprocess.run(["git", "init", "--quiet"], cwd=place, check=True)
        subprocess.run(["git", "add", "--all"], cwd=place, check=True)
        subprocess.run(["git", *author, "commit", "--quiet", "-m", "first"], cwd=place, check=True)
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=hooks, check=True, capture_output=True, text=True).stdout
    config = {"repos": [USED | {"repo": str(hooks), "rev": head.strip()}]}
    (project / ".pre-commit-config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")

    def commit() -> subprocess.CompletedProcess[str]:
        subprocess.run(["git", "add", "--all"], cwd=project, check=True)
        return subprocess.run(
            [sys.executable, "-m", "pre_commit", "run", "--all-files"],
            cwd=project,
            env=environment(project)
            | {"PRE_COMMIT_HOME": str(project / ".cache"), "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
            capture_output=True,
            text=True,
            check=False,
        )

    refused = commit()
    assert refused.returncode == 1 and "penalty-on-bias-too" in refused.stdout, refused.stdout + refused.stderr
    mend(project)
    passed = commit()
    assert passed.returncode == 0 and "Passed" in passed.stdout, passed.stdout + passed.stderr
