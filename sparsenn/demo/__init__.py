"""The main job, from data to speed-up: what `sparsenn demo` does.

networks.py  ->  pipeline.py (train, prune, save)  ->  measure.py (check, time)
->  report.py (data, table)  ->  picture.py
"""
