"""Real third-party mail programs, started privately on loopback.

The interop tests and the benchmark hold Postroad against programs that other people wrote:

- `peers.postfix.Postfix`: a whole Postfix instance of one's own (receive, discard, relay, route);
- `peers.dovecot.Dovecot`: POP3, IMAP and LMTP over a directory of Maildirs;
- `peers.smtp_tools.smtp_source` and `SmtpSink`: Postfix's load generator and its counterpart;
- `peers.dns.Knot` and `Unbound`: an authoritative name server and a validating resolver;
- `peers.tools`: finding programs, free ports, and processes that are always stopped.

Each peer is a context manager that owns a directory and a process group; both are gone when the
block ends. Nothing here reads or changes the machine's own mail configuration, and nothing here
imports Postroad. A program that is not installed raises `peers.tools.MissingTool`, which names
the Debian package; a peer that cannot run here (Postfix without root) raises its parent,
`peers.tools.PeerUnavailable`, with the reason. `tests/interop/debian-packages.txt` lists what to
install.
"""
