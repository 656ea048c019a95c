"""Measures compiled plans against other libraries, each in a process of its own (see bench/README.md).

shapes.py      layer shapes: JSON files, model files          masks.py    where the zeros are
runner.py      one cell: check every runner, then time them   worker.py   the process of one runner
processes.py   starts, stops and resumes workers              timing.py   medians, spreads, paired ratios
report.py      rows and text of a finished run                baselines/  one adapter a file
page.py        the same as a page of HTML; chart.py its pictures  presets.py  networks without a file
report.schema.json   what --json writes
"""
