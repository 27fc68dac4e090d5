"""The use cases, each once: take a message in, log in, look at the queue, manage accounts.

Servers, commands and the lab call these; these call the queue, the mailboxes and the stores by their
ports.
"""
