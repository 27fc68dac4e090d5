"""The store on PostgreSQL: the same statements, the same way of changing things as on SQLite."""

from postroad.storage.postgres.store import PostgresStore

__all__ = ["PostgresStore"]
