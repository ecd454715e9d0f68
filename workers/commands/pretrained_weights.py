"""Commands on the weights of pretrained extractors: ``rayon models fetch`` and ``rayon models add``."""

from __future__ import annotations

from typing import Annotated

import typer

from workers.commands.command_context import open_context
from workers.commands.terminal import AsJson, print_json, print_line, print_note, progress_bar


def fetch(
    name: Annotated[str, typer.Argument(metavar="EXTRACTOR", help="vgg16, squeezenet, use")],
    address: Annotated[
        str,
        typer.Option(
            "--from", metavar="ADDRESS", help="a mirror of the publisher's file, which must have the same bytes"
        ),
    ] = "",
    *,
    as_json: AsJson = False,
) -> None:
    """Fetch the weights of an extractor from their publisher; an interrupted download continues where it stopped."""
    from infra.safe_fetch.published_file_download import downloaded_bytes
    from workers.weights_installation import download_folder, fetch_weights, published_file_of

    context = open_context("models")
    try:
        with progress_bar() as progress:
            installed = fetch_weights(context, name, progress, address)
    except KeyboardInterrupt:
        kept_bytes = downloaded_bytes(published_file_of(context, name), download_folder(context, name))
        print_note(f"stopped; {kept_bytes / 1e6:.1f} MB are kept, and the same command continues from there")
        raise typer.Exit(130) from None
    if as_json:
        print_json(
            {
                "name": name,
                "sha256": installed.sha256,
                "published": installed.published,
                "fetched": installed.is_new,
            }
        )
    elif installed.is_new:
        print_line(f"the weights of {name} are installed (SHA-256 {installed.sha256[:12]}…) for trainings and studies")
    else:
        print_line(f"the published weights of {name} are installed already (SHA-256 {installed.sha256[:12]}…)")


def add(
    name: Annotated[
        str,
        typer.Argument(metavar="EXTRACTOR", help="the extractor: vgg16, squeezenet, efficientnet_lite2, use, sentence"),
    ],
    weights: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="the weights file; for use a folder, archive or address, for sentence a folder, archive or hub name",
        ),
    ],
    *,
    as_json: AsJson = False,
) -> None:
    """Check the weights of an extractor and install them for trainings and studies."""
    from workers.weights_installation import add_weights

    installed = add_weights(open_context("models"), name, weights)
    if as_json:
        print_json({"name": name, "sha256": installed.sha256, "published": installed.published})
        return
    print_line(f"the weights of {name} are installed (SHA-256 {installed.sha256[:12]}…)")
    if installed.published is False:
        print_line(f"note: this is not the published file of {name}; it has the same layout, but other values")
