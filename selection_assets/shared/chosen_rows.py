"""The rows that an arm selected, as they came, and how they came to be selected."""

from collections.abc import Iterable, Mapping

import pyarrow as pa

from resources.store.artifacts import Artifact
from selection.basics.tables import places_of, rows_where
from selection.config.decoders import PretrainedBase
from selection.config.study import Study
from selection.corpus.originals import read_originals
from selection.export.card import Origins
from selection.export.rows import CannotExport, ExportRow
from selection_assets.shared.pool_rows import whole_text
from selection_assets.shared.stored_texts import rows_at

OF_A_ROW = ["row_id", "origins", "licence", "format", "text", "turns"]


def draws_of(subset: Artifact) -> list[int]:
    """Numbers of a subset's rankings: several where the method draws them, else 0 alone."""
    return sorted(set(subset.table("subset.parquet", ["draw"])["draw"].to_pylist()))


def chosen_rows(
    subset: Artifact, corpus: Mapping[str, Artifact], *, draw: int = 0
) -> list[ExportRow]:
    """Rows of a subset, best first.

    Parameters
    ----------
    corpus : `raw_corpus` by source.

    Raises
    ------
    CannotExport
        When the method has no such draw.
    """
    draws = draws_of(subset)
    if draw not in draws:
        raise CannotExport(f"there is no draw {draw}: there are {', '.join(map(str, draws))}")
    table = rows_where(subset.table("subset.parquet"), "draw", draw)
    table = table.sort_by([("rank", "ascending")])
    chosen = table.drop_columns(["text"]).to_pylist()
    found: dict[tuple[str, str], dict] = {}
    for source in sorted({row["source"] for row in chosen}):
        wanted = {row["row_id"] for row in chosen if row["source"] == source}
        found |= {(source, row["row_id"]): row for row in _rows(corpus[source], wanted)}
    return [_export_row(row, found[row["source"], row["row_id"]]) for row in chosen]


def origins_of(
    study: Study, subset: Artifact, corpus: Mapping[str, Artifact], *, draw: int, product: str
) -> Origins:
    """How the rows of a draw came to be selected.

    Parameters
    ----------
    product : version of this program.
    """
    arm = subset.json("arm.json")
    fates = rows_where(subset.table("fates.parquet", ["draw", "fate"]), "draw", draw)
    counts = fates["fate"].value_counts().to_pylist()
    drawn = rows_where(subset.table("subset.parquet", ["draw", "source"]), "draw", draw)
    sources = sorted(set(drawn["source"].to_pylist()))
    return Origins(
        study=study.name,
        method=arm["method"],
        budget=arm["budget"],
        draw=draw,
        draws=len(draws_of(subset)),
        target=study.target.model_dump(mode="json", exclude_defaults=True),
        token_budget=arm["token_budget"],
        row_budget=arm["row_budget"],
        fates={count["values"]: count["counts"] for count in counts},
        versions={
            subset.asset: subset.version,
            **{f"{corpus[s].asset}[{s}]": corpus[s].version for s in sources},
            "selection-assets": product,
        },
    )


def hub_model(study: Study) -> str | None:
    """The study's base model, where the hub has it."""
    base = study.base_model
    return base.model if isinstance(base, PretrainedBase) and base.revision is not None else None


def _rows(corpus: Artifact, wanted: set[str]) -> Iterable[dict]:
    ids = pa.chunked_array([sorted(wanted)], pa.string())
    place = places_of(ids, corpus.table("rows.parquet", ["row_id"])["row_id"])
    originals = dict(read_originals(corpus.path("originals.parquet"), wanted))
    for row in rows_at(corpus.path("rows.parquet"), OF_A_ROW, place).to_pylist():
        yield row | {"original": originals.get(row["row_id"])}


def _export_row(chosen: dict, row: dict) -> ExportRow:
    return ExportRow(
        row_id=row["row_id"],
        source=chosen["source"],
        origin=row["origins"][0],
        licence=row["licence"],
        format=row["format"],
        text=whole_text(row["text"], row["turns"]),
        turns=row["turns"],
        original=row["original"],
        n_tokens=chosen["n_tokens"],
        score=chosen["score"],
        rank=chosen["rank"],
        margin=chosen["margin"],
    )
