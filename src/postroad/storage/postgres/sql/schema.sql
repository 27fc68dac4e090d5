-- What is otherwise on PostgreSQL than in `storage/sql/schema`.

-- Append-only and the largest, therefore in parts by time: a part whose rows all went is dropped.
CREATE TABLE journey (
    sequence INTEGER NOT NULL,
    at       REAL    NOT NULL,
    message  INTEGER,
    kind     TEXT    NOT NULL,
    changes  TEXT
) PARTITION BY RANGE (at);
CREATE TABLE journey_other PARTITION OF journey DEFAULT;

-- The words of emails: what FTS5 does on SQLite. Words and places are made by `words.py`.
CREATE TABLE email_words (
    rowid     INTEGER PRIMARY KEY,
    account   TEXT NOT NULL,
    author    tsvector NOT NULL,
    addressed tsvector NOT NULL,
    cc        tsvector NOT NULL,
    bcc       tsvector NOT NULL,
    subject   tsvector NOT NULL,
    body      tsvector NOT NULL
);
CREATE TABLE mark (
    mark    TEXT    NOT NULL,
    message INTEGER NOT NULL,
    PRIMARY KEY (mark, message)
);

-- Commits of late, so that one whose answer was lost can be asked for.
CREATE TABLE commit_id (
    id TEXT PRIMARY KEY,
    at REAL NOT NULL
);

-- What one node has for itself until a time of the database's clock (`claims.py`): duties, mailboxes of
-- POP3 sessions, and that it lives.
CREATE TABLE claim (
    name   TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    ends   REAL NOT NULL
);

CREATE INDEX journey_by_sequence ON journey (sequence);
CREATE INDEX commit_id_by_at ON commit_id (at);
CREATE INDEX mark_by_message ON mark (message);
CREATE INDEX email_words_by_account ON email_words (account);
