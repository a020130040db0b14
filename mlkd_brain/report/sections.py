"""What a report shows, in which order, and what is said of it.

Authors
 * The MLKD team 2026
"""

from typing import NamedTuple

from tqdm import tqdm

from mlkd_brain.report import comparisons, curves, paper, tables
from mlkd_brain.report.calibration import (
    calibration_frame,
    reliability_diagram,
)
from mlkd_brain.report.cells import mean_with_spread, pooled_with_interval
from mlkd_brain.report.confusion import confusion
from mlkd_brain.report.speakers import speakers_figure, speakers_frame
from mlkd_brain.report.tables import Table
from mlkd_brain.report.titles import common_noises, title, unseen_words


class Section(NamedTuple):
    """A heading, what is said, and what is shown below it."""

    heading: str
    words: str = ""
    figures: dict = {}
    tables: tuple = ()


def sections(study):
    """What a report shows, in order.

    Arguments
    ---------
    study : mlkd_brain.report.results.Study
        What is reported.

    Returns
    -------
    list of Section
        Without what the study has no data for.
    """
    noises = common_noises(study.predictions)
    factory = [name for name in noises if "factory" in name]
    noisy = [
        (_over_snr, noises, factory),
        *((_table_1, name) for name in factory),
        (_all_noises, noises),
        (_table_2,),
    ]
    parts = [
        *(noisy if noises else ()),
        (_table_3,),
        (_tests, noises, factory),
        (_speakers, noises),
        (_confusion, noises),
        (_calibration, noises),
        (_training,),
    ]
    made = [make(study, *given) for make, *given in tqdm(parts, desc="report")]
    return [section for section in made if section is not None]


def _said(study, noises=(), spread=False):
    words = title(study.predictions, study.protocols, spread)
    return f"{words}{unseen_words(noises, study.protocols)}"


def _over_snr(study, noises, factory):
    shown = {name: [name] for name in factory}
    shown[f"{len(noises)} noises pooled"] = noises
    crossings = [
        f"{name}: {'; '.join(words)}."
        for name, heard in shown.items()
        if (words := comparisons.crossing_words(study.predictions, heard))
    ]
    return Section(
        "UA over SNR",
        "\n\n".join(
            [
                "Bands are 95 % intervals over speakers. "
                "Points are joined by straight lines to find where curves cross.",
                *crossings,
            ]
        ),
        {"ua_over_snr": curves.ua_over_snr(study.predictions, shown)},
    )


def _table_1(study, noise):
    predictions, beside = study.predictions, paper.beside(study.protocols)
    frame = tables.frame_beside_paper(
        predictions, [noise], pooled_with_interval
    )
    runs = tables.systems_frame(predictions, [noise], mean_with_spread)
    return Section(
        f"UA under {noise}",
        "All utterances pooled, with the 95 % interval over speakers; then the "
        "mean over runs.",
        tables=(
            Table(
                f"table1_{noise}",
                f"Table 1. UA, {noise} ({_said(study, [noise])}; {beside})",
                frame,
            ),
            Table(
                f"table1_{noise}_runs",
                f"Mean over runs, UA, {noise} "
                f"({_said(study, [noise], spread=True)})",
                runs,
            ),
        ),
    )


def _all_noises(study, noises):
    predictions, said = study.predictions, _said(study, noises)
    return Section(
        "UA and WA, all noises",
        "",
        {"ua_by_noise": curves.ua_by_noise(predictions, noises)},
        tuple(
            Table(
                f"all_noises_{name.lower()}",
                f"{name}, {len(noises)} noises pooled ({said})",
                tables.systems_frame(
                    predictions, noises, pooled_with_interval, name
                ),
            )
            for name in ("UA", "WA")
        ),
    )


def _table_2(study):
    predictions, said = study.predictions, _said(study)
    return Section(
        "UA of each noise and SNR",
        f"A mean is that of the cells; {paper.MEAN_NOTE}.",
        tables=(
            Table(
                "table2",
                f"Table 2. UA, noises and SNRs ({said})",
                tables.table_2_frame(predictions, study.protocols),
            ),
            Table(
                "table2_means",
                "Mean of Table 2's cells "
                f"({said}; {paper.beside(study.protocols)})",
                tables.means_frame(predictions),
            ),
        ),
    )


def _table_3(study):
    if "parameters" not in study.costs:
        return None
    return Section(
        "Size and time",
        tables=(
            Table(
                "table3",
                comparisons.costs_title(study.costs),
                comparisons.costs_frame(study.costs),
            ),
        ),
    )


def _tests(study, noises, factory):
    predictions = study.predictions
    if predictions["system"].nunique() < 2 or not noises:
        return None
    asked = {"tests": (factory, ", ".join(factory))} if factory else {}
    asked["tests_all_noises"] = noises, f"{len(noises)} noises pooled"
    return Section(
        "Systems against one another",
        "Difference in UA with its 95 % interval over speakers, and McNemar's "
        "exact test of whether one is right more often than the other on the "
        "same utterances in the same mixtures, in the runs that both have. The "
        "test takes what it counts for independent, which utterances of one "
        "speaker are not, nor one utterance under several seeds and SNRs; and no "
        "p is corrected for the number of tests: in doubt trust the interval, "
        "which knows the speakers but not the seeds. Every condition: "
        "`numbers/tests.csv`.",
        tables=tuple(
            Table(
                name,
                f"Paired tests, {words} ({_said(study)})",
                comparisons.tests_frame(predictions, heard),
            )
            for name, (heard, words) in asked.items()
        ),
    )


def _speakers(study, noises):
    predictions = study.predictions
    return Section(
        "Speakers",
        "",
        {"speakers": speakers_figure(predictions, noises)},
        (
            Table(
                "speakers",
                f"UA of each speaker: {len(noises)} noises at all SNRs / clean "
                f"({_said(study)})",
                speakers_frame(predictions, noises),
            ),
        ),
    )


def _confusion(study, noises):
    return Section(
        "Confusion",
        f"Percent of the true class (row); {len(noises)} noises pooled.",
        {"confusion": confusion(study.predictions, noises)},
    )


def _calibration(study, noises):
    predictions = study.predictions
    if predictions.filter(regex="^p_").empty:
        return None
    return Section(
        "Calibration",
        "Expected calibration error (ECE): how far confidence is from accuracy. "
        "A point is a tenth of the range of confidence, larger with more "
        "utterances, left out with less than 1 % of them.",
        {"reliability": reliability_diagram(predictions, noises)},
        (
            Table(
                "calibration",
                f"ECE, {len(noises)} noises pooled ({_said(study)})",
                calibration_frame(predictions, noises),
            ),
        ),
    )


def _training(study):
    if study.curves.empty:
        return None
    return Section(
        "Training",
        "Thin: each run; thick: mean over runs, as far as all of them went.",
        {"training": curves.training(study.curves)},
    )
