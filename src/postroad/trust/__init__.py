"""Who is this sender: SPF, DKIM, DMARC, ARC. Protocol logic without I/O; the DNS is a `ports.Resolver`.

Nothing here raises for what a message or the DNS says: that is in the result, with the reason in an
operator's words. What a sender controls is bounded: look-ups, records, terms, fields, addresses.
"""
