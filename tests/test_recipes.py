"""CONTRIBUTING.md, followed to the letter in a copy of the checkout."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from checkout import Checkout
from places import REPOSITORY

BLOCK = re.compile(r'^```(\w+)(?: title="(.+?)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Recipe:
    """What a recipe says to write, to change and to run."""

    blocks: list[tuple[str, str, str]]

    @property
    def new_files(self) -> dict[str, str]:
        return {to: text for kind, to, text in self.blocks if to and kind != "diff"}

    @property
    def changes(self) -> list[tuple[str, str]]:
        return [(to, text) for kind, to, text in self.blocks if kind == "diff"]

    @property
    def commands(self) -> list[str]:
        """Each line of the blocks without a title."""
        return [line for _, to, text in self.blocks if not to for line in text.splitlines()]


def recipes() -> dict[str, Recipe]:
    text = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
    parts = re.split(r"^## Recipe: (.+)$", text, flags=re.MULTILINE)[1:]
    return {
        name: Recipe(BLOCK.findall(part))
        for name, part in zip(parts[::2], parts[1::2], strict=True)
    }


RECIPES = recipes()


class Copy(Checkout):
    """One in which recipes are followed."""

    def follow(self, recipe: Recipe) -> None:
        """Write the recipe's files and make its changes."""
        for name, text in recipe.new_files.items():
            assert not (self.root / name).exists()
            (self.root / name).write_text(text, encoding="utf-8")
        for name, change in recipe.changes:
            lines = change.splitlines(keepends=True)
            old = "".join(line[1:] for line in lines if line[0] in " -")
            new = "".join(line[1:] for line in lines if line[0] in " +")
            file = self.root / name
            before = file.read_text(encoding="utf-8")
            assert before.count(old) == 1, f"{name} has not one place like this:\n{old}"
            file.write_text(before.replace(old, new), encoding="utf-8")


def followed(name: str, root: Path) -> list[str]:
    """What the commands of a recipe print."""
    copy = Copy(root / "copy")
    copy.follow(RECIPES[name])
    return [copy.run(command) for command in RECIPES[name].commands]


def test_there_is_a_recipe_for_each_thing_that_is_added_most():
    things = ("a new method", "a new kind of source", "a new asset", "a new command")
    assert tuple(RECIPES) == things
    assert all(recipe.new_files and recipe.commands for recipe in RECIPES.values())


@pytest.mark.slow
def test_a_new_method_is_one_file_that_the_registry_its_tests_and_a_study_find(tmp_path):
    tests, found = followed("a new method", tmp_path)
    assert re.search(r"[5-9] passed", tests)
    assert "varied/variety_scores" in found


def test_a_new_kind_of_source_is_read(tmp_path):
    [tests] = followed("a new kind of source", tmp_path)
    assert "1 passed" in tests


@pytest.mark.slow
def test_a_new_asset_is_in_the_graph(tmp_path):
    [found] = followed("a new asset", tmp_path)
    assert "docstrings/word_counts" in found


@pytest.mark.slow
def test_a_new_command_answers_people_and_programs(tmp_path):
    table, found = followed("a new command", tmp_path)
    assert set(json.loads(found)) >= {"numpy", "scipy"}
    assert all(source in table for source in json.loads(found))


def test_what_the_recipes_write_passes_the_linters(tmp_path):
    copy = Copy(tmp_path / "copy")
    for recipe in RECIPES.values():
        copy.follow(recipe)
    touched = {
        name
        for recipe in RECIPES.values()
        for name in (*recipe.new_files, *dict(recipe.changes))
        if name.endswith(".py")
    }
    files = " ".join(sorted(touched))
    for linter in ("ruff check", "ruff format --check", "pyright"):
        copy.run(f".venv/bin/{linter} {files}")
    copy.run(".venv/bin/lint-imports")
