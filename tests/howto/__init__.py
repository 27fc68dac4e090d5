"""The consoles of the how-tos, played in the lab; ``python -m tests.howto`` writes them anew."""
