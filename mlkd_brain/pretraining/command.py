"""The command ``mlkd probe``: what a linear classifier finds in features.

    mlkd probe results/manifests --data_folder DIR embedded

Encoders are named as ``encoder_hub`` names them; opensmile's feature sets
(``IS09``, ``eGeMAPSv02`` ...; an optional package) can be given as well. With
``--results`` the fine-tuned ``--systems`` of a study are added to the table.

Authors
 * The MLKD team 2026
"""

from mlkd_brain.commands import command_parser
from mlkd_brain.markdown import around, markdown_table, write_into


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
    add("--into", help="Markdown file to write the table into")
    add("--marker", default="probe", help="place in that file")
    options = parser.parse_args(argv)
    if options.into:
        around(options.into, options.marker)  # refuse before the work
    # here, because torch takes seconds that --help need not wait for
    from mlkd_brain.pretraining.probe import fine_tuned, probe_rows

    tuned = (
        fine_tuned(options.results, options.systems) if options.results else []
    )
    rows = probe_rows(
        options.manifest_folder, options.data_folder, options.front_ends
    )
    table = markdown_table(
        ["front end", "features", "UA %", "WA %"], rows + tuned
    )
    print(table)
    if options.into:
        write_into(options.into, options.marker, table)
