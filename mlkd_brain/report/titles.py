"""What a table rests on, in words: systems, runs, noises that were not heard.

Authors
 * The MLKD team 2026
"""

from mlkd_brain.names import CLEAN

#: Known systems, in the order of a table; others follow.
SYSTEMS = (
    "teacher",
    "no_front_end",
    "vad",
    "nmf",
    "vad_nmf",
    "no_front_end_matched",
    "vad_matched",
    "nmf_matched",
    "vad_nmf_matched",
    "student_unsupervised",
    "student_from_teacher",
    "student",
    "student_scaled",
    "student_searched",
)
FOLDS = 10  # of the paper, where a protocol.json names no speakers


def in_order(systems):
    """Known systems first, then the others by name.

    Example
    -------
    >>> in_order({"student", "another", "teacher"})
    ['teacher', 'student', 'another']
    """
    known = [name for name in SYSTEMS if name in systems]
    return known + sorted(set(systems) - set(known))


def title(predictions, protocols=(), spread=False):
    """Protocol of a table in words: utterances, folds, seeds.

    Folds that are missing are said, for each seed if they differ.

    Arguments
    ---------
    predictions : pandas.DataFrame
        Of one or several systems.
    protocols : list of dict
        Of the same runs.
    spread : bool
        Whether the table has ± in its cells, which is to be explained.

    Returns
    -------
    str
        Without brackets.
    """
    runs = predictions[["seed", "fold"]].drop_duplicates()
    seeds = sorted(runs["seed"].unique())
    words = [
        "leave-one-speaker-out",
        f"{predictions['ID'].nunique()} utterances",
        _folds(runs["fold"].unique(), number_of_folds(protocols)),
        f"{'seed' if len(seeds) == 1 else 'seeds'} {_list(seeds)}",
    ]
    if len(runs) < len(seeds) * runs["fold"].nunique():
        words += [
            f"of seed {seed} only folds {_list(sorted(own))}"
            for seed, own in runs.groupby("seed")["fold"]
            if len(own) < runs["fold"].nunique()
        ]
    text = ", ".join(words)
    if not spread or len(runs) == 1:
        return text
    same = all(
        runs_of(own) == runs_of(predictions)
        for _, own in predictions.groupby("system")
    )
    over = f"{len(runs)} runs" if same else "each row's runs"
    return f"{text}; ± is the standard deviation over {over}"


def _folds(done, wanted):
    if len(done) == wanted:
        return f"all {wanted} folds"
    return f"{len(done)} of {wanted} folds ({_list(sorted(done))})"


def number_of_folds(protocols):
    """Speakers of the corpus: each is tested once."""
    counts = [
        len(set().union(*card["speakers"].values()))
        for card in protocols
        if "speakers" in card
    ]
    return max(counts, default=FOLDS)


def runs_of(predictions):
    """Seed and fold of each run.

    Returns
    -------
    frozenset
        Of pairs.
    """
    return frozenset(zip(predictions["seed"], predictions["fold"]))


def rests_on(runs, titled):
    """What a row rests on, in brackets, where it is less than its title says.

    Arguments
    ---------
    runs, titled : frozenset
        Of the row and of the whole table, see ``runs_of``.

    Returns
    -------
    str
        Nothing if it is the same, or no run is left.

    Example
    -------
    >>> titled = {(1, 1), (1, 2), (2, 1), (2, 2)}
    >>> rests_on({(1, 1), (1, 2)}, titled)
    ' (seed 1)'
    >>> rests_on(titled - {(2, 1)}, titled)
    ' (without fold 1 of seed 2)'
    >>> rests_on(titled, titled)
    ''
    """
    if not runs:
        return ""
    seeds, folds = ({run[place] for run in runs} for place in (0, 1))
    words = [
        f"{name if len(own) == 1 else name + 's'} {_list(sorted(own))}"
        for name, own, place in (("fold", folds, 1), ("seed", seeds, 0))
        if own != {run[place] for run in titled}
    ]
    words += [
        f"without fold {fold} of seed {seed}"
        for seed, fold in sorted(titled - runs)
        if seed in seeds and fold in folds
    ]
    return f" ({'; '.join(words)})" if words else ""


def with_runs(system, predictions):
    """The system's name, with its folds and seeds where others have more.

    Arguments
    ---------
    system : str
        One of those in ``predictions``.
    predictions : pandas.DataFrame
        Of all systems of a table.

    Returns
    -------
    str
        e.g. "teacher (folds 1, 2)".
    """
    own = predictions[predictions["system"] == system]
    return system + rests_on(runs_of(own), runs_of(predictions))


def common_noises(predictions):
    """Noise types that every system was scored on, in order."""
    noisy = predictions[predictions["noise"] != CLEAN]
    systems = noisy.groupby("noise", sort=False)["system"].nunique()
    return list(systems[systems == predictions["system"].nunique()].index)


def unseen_noises(system, noises, protocols):
    """Noise types that a system was never trained on; none for a teacher.

    Recordings are told apart by their content, not by their names.
    """
    cards = [card for card in protocols if card["system"] == system]
    return [
        noise
        for noise in noises
        if any(
            "noise_heard" in card
            and card["noise_evaluated"].get(noise)
            not in card["noise_heard"].values()
            for card in cards
        )
    ]


def unseen_words(noises, protocols):
    """What was not heard in training, as the end of a heading; or nothing."""
    words = [
        f"{_list(unseen)} unseen by {system}"
        for system in in_order({card["system"] for card in protocols})
        if (unseen := unseen_noises(system, noises, protocols))
    ]
    return f" ({'; '.join(words)})" if words else ""


def _list(items):
    return ", ".join(map(str, items))
