"""A metronome: prints the beats of a bar at a tempo."""

import itertools
import time


def beats(per_bar):
    """Yields the beats of one bar after the other: 1, 2, 3, 4, 1, 2, ..."""
    return itertools.cycle(range(1, per_bar + 1))


def play(tempo_bpm=96, per_bar=4, bars=8):
    """Prints `bars` bars at `tempo_bpm` beats a minute."""
    for beat in itertools.islice(beats(per_bar), bars * per_bar):
        print("tick" if beat == 1 else "tock", flush=True)
        time.sleep(60 / tempo_bpm)


if __name__ == "__main__":
    play()
