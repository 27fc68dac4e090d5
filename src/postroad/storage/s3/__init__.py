"""Large contents as objects in S3, or in what speaks its protocol: `storage.large` for many machines.

`bucket` speaks to S3 (by `obstore`), `contents` decides what is where, `mover` brings what waits there.
"""
