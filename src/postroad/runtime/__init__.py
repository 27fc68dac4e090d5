"""Configuration, composition and the life of a process: the only place where the rooms are joined.

`System` is a whole mail server; `Office` is its stores and services without servers, for commands.
"""
