"""`@NAME` on a command line: a file of flags, by its path or as a recipe by its name."""

import difflib
from pathlib import Path

from util.errors import UserError

RECIPES = Path(__file__).resolve().parents[2] / "recipes"


def find_recipe(word: str) -> str:
    """The path of the file that `@word` means. A path relative to the project's folder is found from any folder.

    UserError: there is none; the message names the recipe with the nearest name.
    """
    for path in (Path(word), RECIPES.parent / word, RECIPES / word, RECIPES / f"{word}.txt"):
        if path.exists() and not path.is_dir():
            return str(path)
    nearest = difflib.get_close_matches(Path(word).stem, [path.stem for path in RECIPES.glob("*.txt")], n=1)
    hint = f"did you mean @{nearest[0]}?" if nearest else "recipes/README.md lists the recipes"
    raise UserError(f"@{word}: no such file, and no recipe of that name; {hint}")
