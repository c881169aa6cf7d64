"""
Benchmarks: what flussdvr costs, beside what a user would take instead, measured in the same run.

    python -m bench [NAME ...]     all of them, or those named; results also in var/bench/results.json

Each figure is the median of several rounds in which both competitors take turns. Machines are shared and noisy:
compare ratios, not milliseconds.
"""
