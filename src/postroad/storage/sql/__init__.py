"""What stores that speak SQL share: schema, named statements, what applies a change, ports.

`storage.sqlite` and `storage.postgres` stand beside each other on this. Everything here speaks to
`connection.Connection`, which both have; in what the two differ is in `postgres/dialect.py` and
``postgres/sql/differences.sql``, and in nothing else.
"""
