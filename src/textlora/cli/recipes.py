"""`textlora recipes`: list, show and check them."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from textlora.cli.command import SettingsCommand
from textlora.cli.options import Json, quiet_option

app = typer.Typer(help="Named settings: list, show and check them.", no_args_is_help=True)


@app.command("list")
def recipes_list(as_json: Json = False) -> None:
    """List the shipped recipes."""
    from textlora.recipes import load_recipe, recipe_names

    recipes = [load_recipe(name) for name in recipe_names()]
    if as_json:
        entries = [{"name": r.name, "title": r.title, "published": r.published} for r in recipes]
        typer.echo(json.dumps(entries))
        return
    for recipe in recipes:
        typer.echo(f"{recipe.name:<22} {recipe.title}")


@app.command("show")
def recipes_show(name: Annotated[str, typer.Argument(help="Name, or YAML file.")]) -> None:
    """Print a recipe with every setting, ready to be saved and changed."""
    from textlora.recipes import load_recipe

    recipe = load_recipe(name)
    typer.echo(f"# {recipe.title}")
    for figure, value in recipe.published.items():
        typer.echo(f"# published {figure}: {value}")
    typer.echo(recipe.config().to_yaml(), nl=False)


@app.command("check", cls=SettingsCommand)
def recipes_check(
    name: Annotated[str | None, typer.Argument(help="Name, or YAML file; else all.")] = None,
    model: Annotated[str | None, quiet_option("--model", "Another encoder.")] = None,
    settings: Annotated[
        list[str] | None, quiet_option("--set", "Any setting: section.key=value. Repeatable.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Build a recipe's model from its configuration alone and count its parameters."""
    from textlora.recipes import load_recipe, recipe_names

    configs = [
        load_recipe(each).config(settings, model={"name_or_path": model})
        for each in ([name] if name else recipe_names())
    ]
    from textlora.model.counting import count_config

    counts = [(config, count_config(config)) for config in configs]
    if as_json:
        entries = [
            {
                "recipe": config.recipe,
                "model": config.model.name_or_path,
                "trainable": count.trainable,
                "total": count.total,
                "share": count.share,
            }
            for config, count in counts
        ]
        typer.echo(json.dumps(entries[0] if name else entries))
        return
    for config, count in counts:
        typer.echo(f"{config.recipe:<22} {config.model.name_or_path:<26} trainable {count}")
