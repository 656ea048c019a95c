"""Training: what moves the weights of a Model, dense layers and sparse ones alike.

    train.py     train: checks what is given, then epoch after epoch
    run.py       one epoch: shuffled batches, validation, regrowth; history, snapshot and tally beside it
    trainer.py   Trainer: one update from one batch
    backprop.py  a model as steps, forward and backward, where the time goes: steps.py compute, on
                 parameters.py, between the values of places.py, in tiles.py
    samples.py   what is given, checked; objective.py  the losses of the outputs, summed
    losses, optim, penalties, rules, rates: what a step minimises, and how the weights may move
    regrow.py    other weights for a sparse pattern;  checkpoint.py  the file that a run is resumed from

Nothing here knows of pruning, plans or estimators; those call train.
"""
