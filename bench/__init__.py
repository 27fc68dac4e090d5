"""The benchmark: Postroad and its peers side by side, on one machine, in one run.

``python -m bench`` (or ``make bench``) starts our server as a real process, and Postfix, Dovecot or
aiosmtpd beside it; the same client loads them in turn, and what counts is the ratio of the medians.
Everything is durable on both sides and lies on the same disk.

- `bench.contest`: what a row is, and how two sides are run in turns;
- `bench.smtp_rows`, `pop3_rows`, `latency_rows`, `memory_rows`: the rows;
- `bench.ours`, `bare_loop`, `aiosmtpd_sink`: servers; `smtp_client`, `pop3_client`: clients;
- `bench.figures`, `table`, `plots`, `report`, `machine`: what becomes of the figures.
"""
