"""Protocols without I/O: bytes and `now` go in, events and bytes come out.

Each protocol is a machine in the manner of h11: ``receive_data``, ``next_event``, ``bytes_to_send``,
``deadline``. Nothing here knows of sockets, clocks or tasks; a driver joins a machine to a transport.
"""
