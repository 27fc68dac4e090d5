-- The first schema. Times are seconds since 1970. Addresses in columns that are searched are folded
-- (`Address.folded`), since local parts of ours ignore case; the address as written is kept beside.
-- JSON is what msgspec makes of the values in `postroad.model`.

-- What we took responsibility for. Kept after its deliveries ended, until retention prunes it.
-- `accepted` is the Accepted change: message, envelope and the deliveries as they were born. It is
-- kept here once, for the queue and the journey both: the journey's row of it leaves it out.
CREATE TABLE message (
    id          INTEGER PRIMARY KEY,
    accepted_at REAL    NOT NULL,
    sender      TEXT    NOT NULL,           -- folded; '' is the null reverse-path
    message_id  TEXT    NOT NULL,           -- the header's, with angle brackets; '' where it has none
    content     INTEGER NOT NULL,           -- content.id, of no other message; gone when nobody needs it
    accepted    TEXT    NOT NULL,           -- JSON
    marks       TEXT                        -- JSON array; null for all that came by SMTP
);
CREATE INDEX message_by_message_id ON message (message_id) WHERE message_id <> '';
CREATE INDEX message_by_sender     ON message (sender);

-- By what the messages are found that came by the HTTP API (`model.Submission.marks`).
CREATE TABLE mark (
    mark    TEXT    NOT NULL,
    message INTEGER NOT NULL,
    PRIMARY KEY (mark, message)
) WITHOUT ROWID;
CREATE TRIGGER message_marked AFTER INSERT ON message WHEN NEW.marks IS NOT NULL BEGIN
    INSERT INTO mark (mark, message) SELECT value, NEW.id FROM json_each(NEW.marks);
END;
CREATE TRIGGER message_unmarked AFTER DELETE ON message WHEN OLD.marks IS NOT NULL BEGIN
    DELETE FROM mark WHERE message = OLD.id AND mark IN (SELECT value FROM json_each(OLD.marks));
END;

-- What was answered to requests with an idempotency key, until it runs out.
CREATE TABLE kept_answer (
    scope      TEXT NOT NULL,               -- whose key it is
    key        TEXT NOT NULL,
    digest     BLOB NOT NULL,               -- SHA-256 of what was asked
    answer     TEXT NOT NULL,
    expires_at REAL NOT NULL,
    PRIMARY KEY (scope, key)
) WITHOUT ROWID;
CREATE INDEX kept_answer_by_expires_at ON kept_answer (expires_at);

-- The queue. What never changes of a delivery is in message.accepted; here is how it stands.
--   due    -> leased                          a worker took it (Leased; or born leased by Accepted)
--   leased -> due | delivered | bounced | expired                              (Attempted, Released, PutOff)
--   due, leased -> held -> due                                   an operator    (Held, Retried)
--   due, leased, held -> dropped                                 an operator    (Dropped)
CREATE TABLE delivery (
    message        INTEGER NOT NULL,
    ordinal        INTEGER NOT NULL,
    recipient      TEXT    NOT NULL,        -- folded; after aliases
    original       TEXT,                    -- folded; as said in RCPT, null where it is the recipient
    destination    TEXT    NOT NULL,        -- domain, or 'local'
    state          TEXT    NOT NULL,
    due_at         REAL    NOT NULL,
    wake_at        REAL,                    -- when to look at it: due_at, or the lease's end; null: never
    node           TEXT,                    -- who leased it
    attempts       INTEGER NOT NULL,
    delay_notified INTEGER NOT NULL,
    last           TEXT,                    -- the newest reply, JSON
    ended_at       REAL,                    -- null while unfinished
    PRIMARY KEY (message, ordinal)
) WITHOUT ROWID;
-- ended_at is in them, always null, so that counting and walking read nothing but the index.
CREATE INDEX delivery_by_wake_at     ON delivery (wake_at, destination, state, ended_at) WHERE ended_at IS NULL;
CREATE INDEX delivery_by_destination ON delivery (destination, wake_at, ended_at) WHERE ended_at IS NULL;
CREATE INDEX delivery_by_recipient   ON delivery (recipient);
CREATE INDEX delivery_by_original    ON delivery (original) WHERE original IS NOT NULL;

-- The bytes of messages. Gone when no unfinished delivery and no entry needs them.
CREATE TABLE content (
    id     INTEGER PRIMARY KEY,
    size   INTEGER NOT NULL,
    place  TEXT    NOT NULL,                -- 'inline': in data; 'file': in content/<2 letters>/<id>;
                                            -- 'object': in S3, or in such a file on its way there
    begins INTEGER NOT NULL,                -- where in the file; 0 where it is inline
    digest BLOB,                            -- SHA-256 of the content; null where it is inline
    data   BLOB
);

-- What happened, append-only. Leases are not in it. What one commit tells of a message is one row; its
-- events have the places that end with `sequence`.
CREATE TABLE journey (
    sequence INTEGER PRIMARY KEY,
    at       REAL    NOT NULL,              -- of the first event
    message  INTEGER,                       -- null where it is about no message
    kind     TEXT    NOT NULL,              -- the first event's tag
    changes  TEXT                           -- JSON array; 'accepted' is left out: see message.accepted
);
CREATE INDEX journey_by_message ON journey (message) WHERE message IS NOT NULL;
CREATE INDEX journey_at         ON journey (at) WHERE message IS NULL;
-- By OR: a list of IN would become a table in memory for each row that is written.
CREATE INDEX journey_by_operator ON journey (sequence)
    WHERE kind = 'held' OR kind = 'retried' OR kind = 'dropped';

-- Who gets nothing of a stream any more. The first reason stays.
CREATE TABLE suppression (
    stream   TEXT NOT NULL,
    folded   TEXT NOT NULL,
    domain   TEXT NOT NULL,
    address  TEXT NOT NULL,                 -- JSON
    reason   TEXT NOT NULL,
    evidence TEXT NOT NULL,
    since    REAL NOT NULL,
    PRIMARY KEY (stream, folded)
) WITHOUT ROWID;

-- What was judged of the mail of sending domains, old judgements weighing less.
CREATE TABLE standing (
    domain TEXT PRIMARY KEY,
    good   REAL NOT NULL,                   -- sums as of `at`
    junk   REAL NOT NULL,
    at     REAL NOT NULL
) WITHOUT ROWID;
CREATE INDEX standing_by_at   ON standing (at, domain);
CREATE INDEX standing_by_junk ON standing (junk, domain);

-- Keys of the HTTP API.
CREATE TABLE api_key (
    id         INTEGER PRIMARY KEY,
    name       TEXT NOT NULL UNIQUE,
    scopes     TEXT NOT NULL,               -- JSON
    domains    TEXT NOT NULL,               -- JSON; none: all
    digest     BLOB NOT NULL,               -- SHA-256
    created_at REAL NOT NULL
);

-- Templates: every version that is kept; of a name, one at most is live.
CREATE TABLE template (
    name     TEXT    NOT NULL,
    version  INTEGER NOT NULL,              -- from 1
    live     INTEGER NOT NULL,
    layout   TEXT    NOT NULL,              -- the name of another, '': none
    source   TEXT    NOT NULL,              -- TemplateSource, JSON
    sample   TEXT    NOT NULL,              -- JSON, '': none
    saved_at REAL    NOT NULL,
    author   TEXT    NOT NULL,
    PRIMARY KEY (name, version)
);

-- Whom we tell by HTTPS what became of mail, and up to where in the journey.
CREATE TABLE webhook (
    id       INTEGER PRIMARY KEY,
    name     TEXT    NOT NULL UNIQUE,
    settings TEXT    NOT NULL,              -- Webhook, JSON
    cursor   INTEGER NOT NULL               -- journey.sequence
);

-- What is to be told. waiting -> gone | dead; dead -> waiting (replayed)
CREATE TABLE webhook_post (
    webhook  INTEGER NOT NULL,
    sequence INTEGER NOT NULL,              -- journey.sequence
    ordinal  INTEGER NOT NULL,
    dead     INTEGER NOT NULL,
    post     TEXT    NOT NULL,              -- WebhookPost, JSON
    PRIMARY KEY (webhook, dead, sequence, ordinal),
    UNIQUE (webhook, sequence, ordinal)
) WITHOUT ROWID;

-- Who has mail here.
CREATE TABLE domain (
    name       TEXT PRIMARY KEY,            -- lower case, A-labels
    catch_all  TEXT,                        -- address, JSON
    subaddress TEXT NOT NULL                -- separator, '' where off
) WITHOUT ROWID;

CREATE TABLE account (
    id            INTEGER PRIMARY KEY,
    folded        TEXT    NOT NULL UNIQUE,
    local_part    TEXT    NOT NULL,
    domain        TEXT    NOT NULL,
    password_hash TEXT    NOT NULL,
    inbox         INTEGER NOT NULL,
    enabled       INTEGER NOT NULL,
    scram         TEXT,                     -- keys of the same password, JSON; null: not for SCRAM
    operator      INTEGER NOT NULL,
    second_factor INTEGER NOT NULL          -- whether there is one in second_factor
);
CREATE INDEX account_by_domain ON account (domain);

-- Passwords that we made for programs of an account's owner.
CREATE TABLE app_password (
    account    INTEGER NOT NULL,
    name       TEXT    NOT NULL,
    id         INTEGER NOT NULL UNIQUE,
    scopes     TEXT    NOT NULL,            -- JSON
    digest     BLOB    NOT NULL,            -- SHA-256
    scram      TEXT    NOT NULL,            -- JSON
    created_at REAL    NOT NULL,
    used_at    REAL,
    PRIMARY KEY (account, name)
) WITHOUT ROWID;

-- Who is logged in with a browser.
CREATE TABLE web_session (
    id      INTEGER PRIMARY KEY,
    account INTEGER NOT NULL,
    used_at REAL    NOT NULL,
    session TEXT    NOT NULL                -- WebSession, JSON
);
CREATE INDEX web_session_by_account ON web_session (account, used_at);

-- Secrets of time-based codes.
CREATE TABLE second_factor (
    account INTEGER PRIMARY KEY,
    factor  TEXT    NOT NULL                -- SecondFactor, JSON
);

CREATE TABLE passkey (
    id      BLOB PRIMARY KEY,               -- of the credential
    account INTEGER NOT NULL,
    made_at REAL    NOT NULL,
    passkey TEXT    NOT NULL                -- Passkey, JSON
) WITHOUT ROWID;
CREATE INDEX passkey_by_account ON passkey (account, made_at, id);

-- What owners of accounts allowed programs. code -> refresh token -> refresh token -> ...
CREATE TABLE oauth_grant (
    id      INTEGER PRIMARY KEY,
    account INTEGER NOT NULL,
    used_at REAL    NOT NULL,
    granted TEXT    NOT NULL                -- Grant, JSON
);
CREATE INDEX oauth_grant_by_account ON oauth_grant (account, used_at);

-- How much mail accounts may have, where an operator said so for them.
CREATE TABLE quota (
    account  INTEGER PRIMARY KEY,
    octets   INTEGER,                       -- 0: no limit; null: as configured
    messages INTEGER,
    set_at   REAL    NOT NULL
);
CREATE INDEX quota_by_set_at ON quota (set_at, account);

-- What accounts answer while their owners are away, and whom they answered of late.
CREATE TABLE vacation (
    account  INTEGER PRIMARY KEY,
    vacation TEXT    NOT NULL               -- Vacation, JSON
);
CREATE TABLE vacation_answer (
    account INTEGER NOT NULL,
    sender  TEXT    NOT NULL,               -- folded
    at      REAL    NOT NULL,
    PRIMARY KEY (account, sender)
) WITHOUT ROWID;
CREATE INDEX vacation_answer_by_at ON vacation_answer (account, at);

-- Who logged in, or tried to; written in batches, and only the newest are kept (LoggedIn).
CREATE TABLE login (
    sequence     INTEGER PRIMARY KEY,
    at           REAL    NOT NULL,
    last_at      REAL    NOT NULL,
    username     TEXT    NOT NULL,          -- folded
    result       TEXT    NOT NULL,
    mechanism    TEXT    NOT NULL,
    server       TEXT    NOT NULL,
    client       TEXT    NOT NULL,
    app_password TEXT    NOT NULL,
    count        INTEGER NOT NULL,
    let_in       INTEGER NOT NULL           -- whether the result is 'ok'
);
CREATE INDEX login_by_username ON login (username, sequence);
CREATE INDEX login_by_let_in   ON login (let_in, sequence);
CREATE INDEX login_by_at       ON login (at);

CREATE TABLE alias (
    folded     TEXT PRIMARY KEY,
    local_part TEXT NOT NULL,
    domain     TEXT NOT NULL,
    targets    TEXT NOT NULL                -- addresses, JSON
) WITHOUT ROWID;
CREATE INDEX alias_by_domain ON alias (domain);

-- Folders and what is in them, as IMAP (RFC 9051 §2.3.1, RFC 7162) and JMAP need them, too.
CREATE TABLE mailbox (
    id           INTEGER PRIMARY KEY,
    account      INTEGER NOT NULL,
    name         TEXT    NOT NULL,
    uid_validity INTEGER NOT NULL,
    uid_next     INTEGER NOT NULL,
    modseq       INTEGER NOT NULL,          -- the highest in the mailbox
    sort_order   INTEGER NOT NULL DEFAULT 0,
    subscribed   INTEGER NOT NULL DEFAULT 1,
    UNIQUE (account, name)
);

CREATE TABLE entry (
    id           INTEGER PRIMARY KEY,
    mailbox      INTEGER NOT NULL,
    uid          INTEGER NOT NULL,
    message      INTEGER NOT NULL,
    content      INTEGER NOT NULL,
    content_size INTEGER NOT NULL,
    size         INTEGER NOT NULL,          -- of prefix and content together
    plain        INTEGER NOT NULL,          -- 1: the content was seen to be fit to be sent as it is
    deposited_at REAL    NOT NULL,
    modseq       INTEGER NOT NULL,
    flags        INTEGER NOT NULL DEFAULT 0,  -- well-known keywords, bits of `pack_keywords`
    keywords     TEXT    NOT NULL DEFAULT '', -- others: ' a b '
    prefix       BLOB    NOT NULL           -- trace header fields of final delivery
);
CREATE UNIQUE INDEX entry_by_uid ON entry (mailbox, uid, size);  -- with size, so that a listing reads only this
CREATE INDEX entry_by_content    ON entry (content);

-- What was noticed of the entries of accounts that are read as RFC 8621 has it (Noticed); nothing of it is
-- there for others. `state` counts what happens to an account's emails and mailboxes: each change gives
-- that one the next number.
CREATE TABLE email_account (
    account INTEGER PRIMARY KEY,
    state   INTEGER NOT NULL
);

CREATE TABLE email_mailbox (
    mailbox     INTEGER PRIMARY KEY,
    account     INTEGER NOT NULL,
    made        INTEGER NOT NULL,           -- states
    changed     INTEGER NOT NULL,           -- name and place
    counted     INTEGER NOT NULL,           -- what is in it
    noticed_uid INTEGER NOT NULL            -- entries with lower uids are known
);
CREATE INDEX email_mailbox_by_account ON email_mailbox (account);

CREATE TABLE email_mailbox_gone (
    account INTEGER NOT NULL,
    gone    INTEGER NOT NULL,
    mailbox INTEGER NOT NULL,
    made    INTEGER NOT NULL,
    PRIMARY KEY (account, gone)
) WITHOUT ROWID;

CREATE TABLE email (
    id          INTEGER PRIMARY KEY,
    account     INTEGER NOT NULL,
    entry       INTEGER NOT NULL UNIQUE,    -- entry.id, which stays when it is moved
    mailbox     INTEGER NOT NULL,           -- as the entry's
    thread      INTEGER NOT NULL,
    created     INTEGER NOT NULL,           -- states
    changed     INTEGER NOT NULL,
    received_at REAL    NOT NULL,
    sent_at     REAL    NOT NULL,           -- received_at where it does not say
    size        INTEGER NOT NULL,
    flags       INTEGER NOT NULL,           -- as the entry's
    keywords    TEXT    NOT NULL,
    attachment  INTEGER NOT NULL,
    author      TEXT    NOT NULL,           -- to sort by
    addressee   TEXT    NOT NULL,
    subject     TEXT    NOT NULL,
    summary     TEXT    NOT NULL            -- JSON
);
-- With what lists, threads and counts of the unread need, so that they read nothing else.
CREATE INDEX email_by_mailbox ON email (mailbox, received_at, id, thread, flags);
CREATE INDEX email_by_account ON email (account, received_at, id, thread, flags);
CREATE INDEX email_by_thread  ON email (account, thread, received_at);
CREATE INDEX email_by_changed ON email (account, changed);

CREATE TABLE email_gone (
    account INTEGER NOT NULL,
    gone    INTEGER NOT NULL,
    email   INTEGER NOT NULL,
    thread  INTEGER NOT NULL,
    created INTEGER NOT NULL,
    PRIMARY KEY (account, gone)
) WITHOUT ROWID;

-- What an email belongs together with: hashes of message-ids with the subject (Glance.keys).
CREATE TABLE email_thread (
    account INTEGER NOT NULL,
    key     INTEGER NOT NULL,
    thread  INTEGER NOT NULL,
    PRIMARY KEY (account, key)
) WITHOUT ROWID;
CREATE INDEX email_thread_by_thread ON email_thread (account, thread);

-- The words of emails, by email.id; the texts themselves are not kept. `account` is a word, too, so that
-- a search goes through one account's emails alone.
CREATE VIRTUAL TABLE email_words USING fts5 (
    account, author, addressed, cc, bcc, subject, body,
    content='', contentless_delete=1, detail=full, tokenize="unicode61 remove_diacritics 2"
);

CREATE TABLE identity (
    account  INTEGER NOT NULL,
    id       INTEGER NOT NULL,
    identity TEXT    NOT NULL,              -- JSON
    PRIMARY KEY (account, id)
) WITHOUT ROWID;

-- What accounts put here to use it in messages. Its content has the same id, and no entry refers to it.
CREATE TABLE upload (
    id         INTEGER PRIMARY KEY,
    account    INTEGER NOT NULL,
    size       INTEGER NOT NULL,
    media_type TEXT    NOT NULL,
    at         REAL    NOT NULL
);
CREATE INDEX upload_by_at      ON upload (at);
CREATE INDEX upload_by_account ON upload (account, at);

-- What accounts sent of their emails.
CREATE TABLE submission (
    account    INTEGER NOT NULL,
    id         INTEGER NOT NULL,
    submission TEXT    NOT NULL,            -- JSON
    PRIMARY KEY (account, id)
) WITHOUT ROWID;

-- What owners of accounts taught of junk (JunkLearned): how many messages, in how many of them each token
-- was, and which messages, so that it can be taken back.
CREATE TABLE junk_total (
    account INTEGER PRIMARY KEY,
    spam    INTEGER NOT NULL,
    ham     INTEGER NOT NULL
);

CREATE TABLE junk_token (
    account INTEGER NOT NULL,
    token   TEXT    NOT NULL,
    spam    INTEGER NOT NULL,
    ham     INTEGER NOT NULL,
    at      REAL    NOT NULL,               -- when it was last taught
    PRIMARY KEY (account, token)
) WITHOUT ROWID;
CREATE INDEX junk_token_by_at ON junk_token (account, at, token);

CREATE TABLE junk_lesson (
    account INTEGER NOT NULL,
    digest  BLOB    NOT NULL,
    spam    INTEGER NOT NULL,
    at      REAL    NOT NULL,
    PRIMARY KEY (account, digest)
) WITHOUT ROWID;
CREATE INDEX junk_lesson_by_at ON junk_lesson (account, at, digest);

-- MTA-STS policies of other domains (RFC 8461), until they run out.
CREATE TABLE sts_policy (
    domain     TEXT PRIMARY KEY,
    expires_at REAL NOT NULL,
    policy     TEXT NOT NULL                -- StsPolicy, JSON
) WITHOUT ROWID;
CREATE INDEX sts_policy_by_expires_at ON sts_policy (expires_at);

-- How many recipients each of our addresses served at each provider, a day. For caps.
CREATE TABLE source_spent (
    day      INTEGER NOT NULL,              -- days since 1970, UTC
    source   TEXT    NOT NULL,              -- our IP address
    provider TEXT    NOT NULL,
    count    INTEGER NOT NULL,
    PRIMARY KEY (day, source, provider)
) WITHOUT ROWID;

-- How much mail there was, for charts (model.figures). `span` is 60 or 3600 seconds, `at` its begin; minutes
-- are kept for days, hours for more than a year.
CREATE TABLE figure (
    span      INTEGER NOT NULL,
    at        INTEGER NOT NULL,
    stream    TEXT    NOT NULL,
    provider  TEXT    NOT NULL,             -- '' for what was accepted
    accepted  INTEGER NOT NULL,
    delivered INTEGER NOT NULL,
    deferred  INTEGER NOT NULL,
    bounced   INTEGER NOT NULL,
    unknown   INTEGER NOT NULL,
    PRIMARY KEY (span, at, stream, provider)
) WITHOUT ROWID;

CREATE TABLE figure_seconds (
    span  INTEGER NOT NULL,
    at    INTEGER NOT NULL,
    part  INTEGER NOT NULL,                 -- of model.tally.LONG_SECONDS
    count INTEGER NOT NULL,
    PRIMARY KEY (span, at, part)
) WITHOUT ROWID;

-- How links were secured, counted for TLS reports (RFC 8460), until the report is made.
CREATE TABLE tls_result (
    day    TEXT    NOT NULL,                -- UTC, 2026-11-25
    domain TEXT    NOT NULL,
    result TEXT    NOT NULL,                -- TlsResult, JSON
    count  INTEGER NOT NULL,
    PRIMARY KEY (day, domain, result)
) WITHOUT ROWID;

-- What the store knows about itself: 'node', the name under which this store's server leases, and
-- 'secret', from which made-up answers to strangers are derived.
CREATE TABLE setting (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;
