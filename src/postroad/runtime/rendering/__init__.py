"""Templates are rendered in a process of their own, which may be lost."""
