"""The pytest plugin: the `mailworld` fixture."""
