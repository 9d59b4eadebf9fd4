"""The README and the Makefile speak of what is there."""

import re
from pathlib import Path

from olbench import cli

ROOT = Path(__file__).parent.parent


def readme() -> str:
    return (ROOT / "README.md").read_text(encoding="utf-8")


def targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def test_every_verb_is_in_the_readme() -> None:
    missing = [verb for verb in cli.commands.commands if f"olbench {verb}" not in readme()]
    assert missing == []


def test_every_command_line_of_the_readme_is_one_of_ours() -> None:
    named = set(re.findall(r"^(?:\$ )?olbench ([a-z][a-z-]*)", readme(), re.MULTILINE))
    assert named
    assert named <= set(cli.commands.commands)


def test_every_option_that_the_readme_gives_to_a_verb_exists() -> None:
    lines = re.findall(r"\bolbench ([a-z][a-z-]*)([^`\n#]*)", readme())
    given = {(verb, flag) for verb, rest in lines for flag in re.findall(r"(?<=\s)--[a-z-]+", rest)}
    assert given
    known = {
        (verb, flag)
        for verb, command in cli.commands.commands.items()
        for one in command.params
        for flag in one.opts
    }
    assert given - known - {(verb, "--help") for verb in cli.commands.commands} == set()


def test_every_make_target_of_the_readme_is_there() -> None:
    named = set(re.findall(r"(?:^|`)make ([a-z]+)", readme(), re.MULTILINE))
    assert {"demo", "test"} <= named
    assert named <= targets()


def test_every_file_of_the_readme_is_there() -> None:
    for path in set(re.findall(r"\b(?:scenarios|docs|tests)/[\w./-]*\w", readme())):
        assert (ROOT / path).exists(), path
