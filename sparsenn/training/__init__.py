"""Training: what moves the weights of a Model, dense layers and sparse ones alike.

    train.py     train: checks what is given, then epoch after epoch
    run.py       one epoch: shuffled batches, validation, regrowth; history, snapshot and tally beside it
    trainer.py   Trainer: one update from one batch
    backprop.py  forward and backward, where the time goes; on parameters.py, in tiles.py
    losses, optim, penalties, rules, rates: what a step minimises, and how the weights may move
    regrow.py    other weights for a sparse pattern;  checkpoint.py  the file that a run is resumed from

Nothing here knows of pruning, plans or estimators; those call train.
"""
