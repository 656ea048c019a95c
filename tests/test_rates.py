"""Learning-rate schedules and the plot of a history."""

import numpy as np
import pytest

import sparsenn as snn


def test_schedules():
    assert [snn.Constant(0.1)(epoch) for epoch in (0, 3.5, 100)] == [0.1] * 3
    step = snn.StepDecay(0.8, every=3, decay=0.5)
    assert [step(epoch) for epoch in (0, 2.9, 3, 6.1)] == pytest.approx([0.8, 0.8, 0.4, 0.2])
    cosine = snn.Cosine(1.0, epochs=10, floor=0.1)
    assert [cosine(epoch) for epoch in (0, 5, 10, 50)] == pytest.approx([1.0, 0.55, 0.1, 0.1])
    warm = snn.Constant(0.2, warmup=4)
    assert 0 < warm(0) < 1e-3 and warm(2) == pytest.approx(0.1, rel=1e-3) and warm(4) == warm(9) == 0.2


def test_train_asks_the_schedule_before_each_step(rng):
    X, y = rng.standard_normal((40, 4)), np.arange(40) % 2
    seen = []

    class Watched(snn.Constant):
        def factor(self, epoch):
            seen.append(epoch)
            return 1 / (1 + epoch)

    history = snn.train(snn.mlp([4, 2]), X, y, epochs=2, batch_size=10, learning_rate=Watched(0.5))
    assert seen[1:] == [0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75]
    assert history.learning_rate == pytest.approx([0.5 / 1.75, 0.5 / 2.75])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: snn.Constant(0.0), r"rate must be in \(0, inf\), got 0"),
        (lambda: snn.Cosine(0.1, epochs=0), "epochs must be at least 1, got 0"),
        (lambda: snn.StepDecay(0.1, decay=1.0), r"decay must be in \(0, 1\), got 1"),
        (lambda: snn.Constant(0.1, warmup=-1), r"warmup must be in \[0, inf\), got -1"),
    ],
)
def test_bad_schedules(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_history_is_drawn(rng, tmp_path):
    X, y = rng.standard_normal((60, 4)), np.arange(60) % 2
    history = snn.train(snn.mlp([4, 2]), X, y, epochs=3, validation_split=0.3, early_stopping=5)
    figure = history.plot(tmp_path / "history.png")
    assert (tmp_path / "history.png").read_bytes().startswith(b"\x89PNG")
    loss, accuracy = figure.axes
    labels = [[line.get_label() for line in axes.lines] for axes in (loss, accuracy)]
    assert labels == [["training", "validation", "weights kept"]] * 2
    np.testing.assert_array_equal(loss.lines[1].get_ydata(), history.val_loss)
    assert len(snn.History().plot().axes) == 1
