"""Limits that all stores keep alike."""

TLS_RESULTS_PER_DAY = 500
"""Different results of one domain's day that are kept for its TLS report; more are not counted."""

SOURCE_DAYS = 35
"""For how many days it is known what was sent from which source address."""

FIGURE_DAYS = {60: 2, 3600: 400}
"""For how many days figures are kept, by the seconds that each is the sum of."""
