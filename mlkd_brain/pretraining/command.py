"""The command ``mlkd probe``: what a linear classifier finds in features.

    mlkd probe results/manifests --data_folder DIR embedded

Encoders are named as ``encoder_hub`` names them; opensmile's feature sets
(``IS09``, ``eGeMAPSv02`` ...; an optional package) can be given as well. With
``--results`` the fine-tuned ``--systems`` of a study are added to the table.
``--keep FILE.csv.xz`` keeps what was predicted for each utterance.

Authors
 * The MLKD team 2026
"""

from mlkd_brain.commands import command_parser
from mlkd_brain.markdown import around, write_into


def main(argv: list[str]) -> None:
    """Print the table, and write it where it is wanted.

    Arguments
    ---------
    argv : list of str
        Options of the command.

    Raises
    ------
    InputError
        If the manifests, an encoder, a system or the page cannot be used.
    """
    parser = command_parser("probe", __doc__)
    add = parser.add_argument
    add("manifest_folder", help="of a prepared corpus")
    add("front_ends", nargs="+", help="encoders or feature sets")
    add("--data_folder", required=True, help="of the corpus")
    add("--results", help="folder of a study")
    add("--systems", nargs="+", default=["teacher"], help="of that study")
    add("--keep", help="CSV of each prediction; .xz is compressed")
    add("--into", help="Markdown file to write the table into")
    add("--marker", default="probe", help="place in that file")
    options = parser.parse_args(argv)
    if options.into:
        around(options.into, options.marker)  # refuse before the work
    # here, because torch takes seconds that --help need not wait for
    from mlkd_brain.files import write_csv
    from mlkd_brain.pretraining.probe import (
        fine_tuned,
        probe_all,
        probe_rows,
        probe_table,
    )
    from mlkd_brain.report.results import read_predictions

    tuned = []
    if options.results:
        study = read_predictions(options.results)
        tuned = fine_tuned(study, options.systems, options.results)
    predictions = probe_all(
        options.manifest_folder, options.data_folder, options.front_ends
    )
    table = probe_table(probe_rows(predictions) + tuned)
    print(table)
    if options.keep:
        write_csv(predictions, options.keep)
    if options.into:
        write_into(options.into, options.marker, table)
