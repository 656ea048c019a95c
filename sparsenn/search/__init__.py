"""Search: how sparse a network should be, by measured scores and measured times.

    select.py            select_sparsity: one sparsity for the whole network
    cross_validation.py  its folds;  selection.py  its candidates and the choice among them
    display.py           the picture of what it found
    allocation.py        allocate: a sparsity for each layer, within a latency budget, from sensitivity.py
    latency.py           how long compiled models take

Here training, pruning and compiling meet; none of them knows of this folder.
"""
