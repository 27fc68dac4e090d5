"""A whole store copied from one engine to the other, row by row.

All engines have the tables of `storage/sql/schema`, so a copy is the same rows. It is made from one
moment of the source, in pages, each one transaction with a mark of how far it came, so one that was cut
off goes on there; and it is compared by the hash of every table. The words by which emails are found are
kept differently and not copied, but made anew from the mail (`words`). Contents that are not in the
database stay where they are.
"""
