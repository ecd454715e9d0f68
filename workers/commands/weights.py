"""Commands on the weights of networks: fetch them from their publisher, or add them from a file."""

from __future__ import annotations

from typing import Annotated

import typer

from workers.commands.terminal import AsJson, open_context, progress_bar, remark, say, say_json


def fetch(
    name: Annotated[str, typer.Argument(metavar="EXTRACTOR", help="vgg16, squeezenet, use")],
    address: Annotated[
        str,
        typer.Option(
            "--from", metavar="ADDRESS", help="a mirror of the publisher's file; the same bytes are asked of it"
        ),
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Fetch the weights of an extractor from their publisher; what was interrupted goes on where it stopped."""
    from infra.safe_fetch.download import downloaded_bytes
    from workers import weights_installation as workers_weights_installation

    context = open_context("models")
    try:
        with progress_bar() as report:
            kept = workers_weights_installation.fetch_weights(context, name, report, address)
    except KeyboardInterrupt:
        part = downloaded_bytes(
            workers_weights_installation.published_file_of(context, name),
            workers_weights_installation.download_folder(context, name),
        )
        remark(f"stopped; {part / 1e6:.1f} MB are kept, and the same command goes on from there")
        raise typer.Exit(130) from None
    if as_json:
        say_json({"name": name, "sha256": kept.sha256, "published": kept.published, "fetched": kept.fresh})
    elif kept.fresh:
        say(f"the weights of {name} are kept (SHA-256 {kept.sha256[:12]}…); trainings and studies may use them")
    else:
        say(f"the weights of {name} are here already, as their publisher gives them (SHA-256 {kept.sha256[:12]}…)")


def add(
    name: Annotated[
        str, typer.Argument(metavar="EXTRACTOR", help="what needs the weights: vgg16, squeezenet, use, sentence")
    ],
    given: Annotated[
        str, typer.Argument(metavar="FILE", help="the weights file; of use and sentence a folder, archive or address")
    ],
    as_json: AsJson = False,
) -> None:
    """Check the weights of an extractor and keep them, for trainings and studies that ask for it."""
    from workers import weights_installation as workers_weights_installation

    kept = workers_weights_installation.add_weights(open_context("models"), name, given)
    if as_json:
        say_json({"name": name, "sha256": kept.sha256, "published": kept.published})
        return
    say(f"the weights of {name} are kept (SHA-256 {kept.sha256[:12]}…)")
    if kept.published is False:
        say(f"note: this is not the file that {name}'s publisher gives; its layout is right, its numbers are its own")
