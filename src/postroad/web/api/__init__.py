"""The API, ``/api/v1``: one module for each kind of thing that it is about."""
