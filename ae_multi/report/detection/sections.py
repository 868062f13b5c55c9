"""Sections of a report on anomaly scores."""

from __future__ import annotations

from collections.abc import Iterator

from ae_multi.report.detection import tables
from ae_multi.report.html import Html, definitions, element, verdict
from ae_multi.tasks.report_columns import percent, shown_value
from ae_multi.tasks.report_contents import DetectionReport

_COLUMNS_OF_A_ROW = 6


def sections(report: DetectionReport) -> Iterator[Html]:
    """Yield the sections of the page."""
    yield element("h1", report.title)
    yield _conclusion(report)
    yield element("h2", "Scores and threshold")
    yield from _threshold(report)
    yield element("h2", f"The strangest {report.unit}")
    yield from _strangest(report)
    yield element("h2", f"Scores by {'time' if report.times is not None else report.unit[:-1]}")
    yield element("p", f"{report.thinning} {_marks(report)}")
    yield _plot("course", "Scores in the order of the data; the dashed line is the threshold")
    yield element("h2", "Map of codes")
    yield element(
        "p",
        f"Each point is the code of {_window(report)}one of these {report.unit}, coloured by its "
        "score: "
        f"{report.unit} that the autoencoder finds alike lie close together. Point at one to see "
        "it; click it, or use the buttons, to select it in both plots.",
    )
    yield _selection(report)
    yield _plot("map", "Map of the codes, coloured by score", focusable=True)
    if report.baselines:
        yield element("h2", "Beside standard detectors")
        yield from _baselines(report)


def _window(report: DetectionReport) -> str:
    return "" if report.window is None else f"the window of {report.window} rows around "


def _conclusion(report: DetectionReport) -> Html:
    alarms, count = report.alarms, len(report.scores)
    facts = dict(report.facts)
    if report.anomalous is not None:
        truth = report.anomalous
        found = int((alarms & truth).sum())
        facts = {
            "Known labels": f"{truth.sum():,} anomalies; {found:,} of them are detected, and "
            f"{(alarms & ~truth).sum():,} normal {report.unit} are false alarms"
        } | facts
    return element(
        "section",
        verdict(
            None,
            f"{alarms.sum():,} of {count:,} {report.unit} ({percent(alarms.mean())}) are "
            "beyond the threshold.",
        ),
        definitions(facts.items()),
        class_="conclusion",
    )


def _threshold(report: DetectionReport) -> Iterator[Html]:
    yield element(
        "p",
        f"The score is larger the stranger {_one(report)} is. Those right of the dashed line are "
        "alarms. Move the threshold, or click into the plot, to see what it would cost.",
    )
    yield _plot("distribution", "Distribution of the scores; the dashed line is the threshold")
    yield element(
        "div",
        element(
            "label",
            "Threshold",
            element("input", type="range", id="threshold-slider", min=0, max=1000, step=1),
        ),
        element(
            "label",
            "exactly",
            element("input", type="number", id="threshold-number", step="any"),
        ),
        element("button", "Back to the fitted threshold", type="button", id="threshold-reset"),
        element("output", id="threshold-result", for_="threshold-slider threshold-number"),
        class_="controls",
    )
    yield tables.costs(report)


def _strangest(report: DetectionReport) -> Iterator[Html]:
    if report.pictures:
        yield element(
            "p",
            "Each image, its reconstruction by the autoencoder, and the map of its errors, bright "
            "where they are large.",
        )
    else:
        yield element(
            "p",
            "The columns that contribute most to the score, beside typical values: the median and "
            f"the interval from the 5 % to the 95 % quantile of the {report.unit} that are no "
            "alarms. An arrow marks values beyond this interval."
            + (f" Rows less than {report.window} apart share one card." if report.window else ""),
        )
    cards = (_card(report, place, row) for place, row in enumerate(report.strangest))
    yield element("ol", *cards, class_="cards pictures" if report.pictures else "cards")
    if not report.pictures:
        yield element(
            "details",
            element("summary", "All columns: typical values and shares in the scores"),
            tables.columns(report),
            class_="more",
        )


def _card(report: DetectionReport, place: int, row: int) -> Html:
    score = report.scores[row]
    facts = [f"score {tables.number(score)}"]
    if report.threshold > 0:
        facts.append(f"{score / report.threshold:.3g} × the threshold")
    if report.times is not None:
        facts.append(shown_value(report.times[row]))
    if report.anomalous is not None:
        facts.append("labelled anomalous" if report.anomalous[row] else "labelled normal")
    name = f"{report.unit[:-1]} {report.ids[row]}"
    if report.pictures:
        words = ("image", "reconstruction", "errors")
        content = element(
            "div",
            *(
                element(
                    "figure",
                    element("img", src=uri, alt=f"{word} of {name}"),
                    element("figcaption", word),
                )
                for word, uri in zip(words, report.pictures[place], strict=True)
            ),
            class_="triple",
        )
    else:
        content = tables.contributions(report, place, name, _COLUMNS_OF_A_ROW)
    return element(
        "li",
        element("h3", name[0].upper() + name[1:]),
        element("p", " · ".join(facts), class_="soft"),
        content,
        element(
            "button",
            "Show in the plots",
            type="button",
            class_="show",
            data_place=place,
            aria_label=f"Show {name} in the plots",
        ),
    )


def _selection(report: DetectionReport) -> Html:
    return element(
        "div",
        element("button", "◀ Stranger", type="button", id="stranger"),
        element("button", "Less strange ▶", type="button", id="less-strange"),
        element("button", "Clear", type="button", id="clear"),
        element("div", f"No {report.unit[:-1]} is selected.", id="selected", aria_live="polite"),
        class_="controls selection",
    )


def _baselines(report: DetectionReport) -> Iterator[Html]:
    yield element(
        "p",
        f"Standard detectors, fitted to the {report.unit} of this report without labels. "
        "The autoencoder was fitted to its own training data.",
    )
    yield tables.baselines(report)
    better = tables.better_baselines(report)
    if better:
        yield element(
            "p",
            "Better than the autoencoder here, by AUROC or average precision: "
            f"{', '.join(better)}.",
            class_="differ-note",
        )


def _plot(identifier: str, label: str, focusable: bool = False) -> Html:
    return element(
        "div",
        id=identifier,
        class_="plot",
        role="group",
        aria_label=label + (". Arrow keys select points." if focusable else ""),
        tabindex="0" if focusable else None,
    )


def _marks(report: DetectionReport) -> str:
    text = "Triangles are beyond the threshold, circles are not."
    if report.anomalous is not None:
        text += f" A dot in them marks {report.unit} that are labelled anomalous."
    return text


def _one(report: DetectionReport) -> str:
    return "an image" if report.unit == "images" else "a row"
