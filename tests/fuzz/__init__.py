"""Structure-aware fuzzing of every reader of files: parts of valid files are altered, not only bytes.

    engine.py       runs a target: what may be raised, how long, how much memory
    alter.py        altered numbers, bytes and JSON
    NAME.py         what is altered in one kind of file, and what is done with a file that is accepted

tests/test_fuzz.py runs a short form, `make fuzz-readers` the long one; both from within tests/.
"""
