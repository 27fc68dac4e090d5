"""Metrics: what there is (`families`), where it comes from (`collect`), how it is told (`text`), and how
processes tell each other (`live`).
"""
