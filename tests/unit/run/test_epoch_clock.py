"""Where an epoch's time goes, and the time that a run still takes."""

import torch
from mlkd_brain.run.epoch_clock import EpochClock, seconds_left


class Mark:
    """A mark in the queue of a GPU that is reached a second after the last."""

    reached = 0

    def __init__(self, enable_timing=False):
        self.waited_for = False

    def record(self):
        Mark.reached += 1
        self.time = Mark.reached

    def elapsed_time(self, later):
        return 1000.0 * (later.time - self.time)

    def synchronize(self):
        self.waited_for = True


def test_a_gpus_time_is_divided_without_waiting_for_each_lap(monkeypatch):
    monkeypatch.setattr(torch.cuda, "Event", Mark)
    clock = EpochClock("cuda:0")
    for activity in ("data", "student", "data"):
        clock.lap(activity)
    marks = [mark for _, mark in clock.laps]
    assert not any(mark.waited_for for mark in marks)
    assert clock.seconds == {"data": 2.0, "student": 1.0}
    # the others lie before it
    assert [mark.waited_for for mark in marks] == [False] * 3 + [True]


def test_the_seconds_left_is_the_mean_times_the_epochs_to_come():
    assert seconds_left(36.0, done=1, left=200) == 7200
    # at once after a resume there is no epoch to go by yet
    assert seconds_left(36.0, done=0, left=200) == 7200
