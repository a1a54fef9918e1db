"""A bundle as small as it can be: what answering needs, in one precision, for a package or a web page."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from wgsl_infer.bundle import GRAMMAR, MANIFEST, TOKENIZER, Bundle
from wgsl_pipeline.errors import ArtefactError
from wgsl_pipeline.files import replaced_folder, write_json


def ship_bundle(source: Path, target: Path, *, force: bool = False) -> dict[str, Any]:
    """Copy tokenizer, grammar, manifest and the graphs of the default precision; returns the manifest of the copy.

    Args:
        source: a bundle folder that `pipeline export` wrote.
        target: the folder to make.
        force: whether to replace a bundle that is already there.

    Raises:
        BundleError: the source is no whole bundle.
        ArtefactError: the target is there and `force` is not given, or it holds something else.
    """
    bundle = Bundle.open(source)
    precision = bundle.manifest["generation"]["precision"]
    if target.exists() and not (target / MANIFEST).is_file():
        raise ArtefactError(f"{target}: holds something that is no bundle; it is left alone")
    if target.exists() and not force:
        raise ArtefactError(f"{target}: there already; --force replaces it")
    graphs = bundle.manifest["graphs"][precision]
    kept = [name for name in (TOKENIZER, GRAMMAR, *graphs.values()) if name in bundle.manifest["files"]]
    manifest = bundle.manifest | {
        "graphs": {precision: graphs},
        "files": {name: bundle.manifest["files"][name] for name in kept},
    }
    with replaced_folder(target) as folder:
        for name in kept:
            shutil.copyfile(bundle.file(name), folder / name)
        write_json(folder / MANIFEST, manifest)
    return manifest
