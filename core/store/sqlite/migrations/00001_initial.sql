-- +goose Up

-- Ids are 63 bits and rise with time; times are microseconds since 1970; no
-- time and no id are NULL. What is large comes last in a row, so that reading
-- the rest doesn't walk over it. Alternatives are spelled out where rows are
-- many: SQLite makes a table of a list of more than two for each statement.

CREATE TABLE request (
    id            INTEGER PRIMARY KEY,
    tenant_id     INTEGER NOT NULL,
    integration   TEXT NOT NULL,
    key_id        TEXT NOT NULL,
    received_at   INTEGER NOT NULL,
    source        TEXT NOT NULL,
    method        TEXT NOT NULL,
    path          TEXT NOT NULL,
    query         TEXT NOT NULL,
    encoding      TEXT NOT NULL,
    test          INTEGER NOT NULL,
    delivery_id   BLOB,
    delivery_body BLOB,
    state         TEXT NOT NULL CHECK (state = 'done' OR state = 'open' OR state = 'ignored' OR state = 'held'
                  OR state = 'quarantined' OR state = 'rejected'),
    code          TEXT NOT NULL,
    reason        TEXT NOT NULL,
    notes         TEXT NOT NULL,
    rejected      TEXT NOT NULL,
    adapter       TEXT NOT NULL,
    adapter_hash  TEXT NOT NULL,
    let_in        TEXT NOT NULL,
    verified      TEXT NOT NULL,
    attempt       INTEGER NOT NULL,
    next_at       INTEGER,
    applied_to    INTEGER NOT NULL,
    applied_of    TEXT NOT NULL,
    incidents     TEXT NOT NULL,
    total         INTEGER NOT NULL,
    fallback      INTEGER,
    fallback_of   TEXT NOT NULL,
    duplicates    INTEGER NOT NULL DEFAULT 0,
    unverified    INTEGER NOT NULL,
    quiet         INTEGER NOT NULL,
    header        TEXT NOT NULL,
    deflated      INTEGER NOT NULL,
    body          BLOB
) STRICT;
CREATE INDEX request_list ON request (integration, id);
CREATE INDEX request_open ON request (integration, next_at) WHERE state = 'open';
CREATE INDEX request_neglected ON request (id) WHERE state = 'open' AND fallback IS NULL;
CREATE INDEX request_held ON request (integration, id) WHERE state = 'held';
CREATE INDEX request_trouble ON request (integration, id) WHERE state IN ('quarantined', 'rejected');

CREATE TABLE delivery_id (
    tenant_id   INTEGER NOT NULL,
    integration TEXT NOT NULL,
    id_hash     BLOB NOT NULL,
    body_hash   BLOB NOT NULL,
    request_id  INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, integration, id_hash, body_hash)
) STRICT, WITHOUT ROWID;
CREATE INDEX delivery_id_age ON delivery_id (request_id);

CREATE TABLE dedup_slot (
    tenant_id        INTEGER NOT NULL,
    integration      TEXT NOT NULL,
    kind             INTEGER NOT NULL,
    hash             BLOB NOT NULL,
    open_incident    INTEGER,
    last_incident    INTEGER,
    last_op          TEXT NOT NULL,
    last_request     INTEGER,
    last_index       INTEGER NOT NULL,
    last_source_at   INTEGER,
    last_received_at INTEGER,
    transitions      TEXT NOT NULL,
    marks            BLOB,
    touched          INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, integration, kind, hash)
) STRICT, WITHOUT ROWID;

CREATE TABLE incident (
    id            INTEGER PRIMARY KEY,
    tenant_id     INTEGER NOT NULL,
    number        INTEGER NOT NULL,
    integration   TEXT NOT NULL,
    dedup_key     TEXT NOT NULL,
    series_key    TEXT NOT NULL,
    identity_rule TEXT NOT NULL,
    status        TEXT NOT NULL CHECK (status = 'investigating' OR status = 'resolved' OR status = 'acknowledged'),
    severity      TEXT NOT NULL,
    severity_raw  TEXT NOT NULL,
    severity_rule TEXT NOT NULL,
    service       TEXT NOT NULL,
    test          INTEGER NOT NULL,
    count         INTEGER NOT NULL,
    version       INTEGER NOT NULL,
    first_at      INTEGER NOT NULL,
    last_at       INTEGER NOT NULL,
    opened_at     INTEGER NOT NULL,
    acked_at      INTEGER,
    resolved_at   INTEGER,
    previous      INTEGER,
    fallback      TEXT NOT NULL,
    waiting       INTEGER NOT NULL,
    superseded_by INTEGER,
    told          TEXT NOT NULL,
    held_by       TEXT NOT NULL,
    group_id      INTEGER,
    wake_at       INTEGER,
    title         TEXT NOT NULL,
    description   TEXT NOT NULL,
    detail        TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX incident_number ON incident (tenant_id, number);
CREATE INDEX incident_open ON incident (id) WHERE status <> 'resolved';
CREATE INDEX incident_list ON incident (integration, id);
CREATE INDEX incident_wake ON incident (wake_at) WHERE wake_at IS NOT NULL;
CREATE INDEX incident_held ON incident (id) WHERE held_by <> '';
CREATE INDEX incident_group ON incident (group_id, id) WHERE group_id IS NOT NULL;

CREATE TABLE event (
    id          INTEGER PRIMARY KEY,
    tenant_id   INTEGER NOT NULL,
    incident_id INTEGER,
    request_id  INTEGER,
    idx         INTEGER NOT NULL,
    action      TEXT NOT NULL,
    effect      TEXT NOT NULL,
    at          INTEGER NOT NULL,
    occurred_at INTEGER,
    severity    TEXT NOT NULL,
    rule        TEXT NOT NULL, -- that gave the severity
    author      TEXT NOT NULL, -- a person; '' for everything else
    note        TEXT NOT NULL, -- what they said
    title       TEXT NOT NULL
) STRICT;
CREATE INDEX event_timeline ON event (incident_id, id);

CREATE TABLE incident_version (
    id          INTEGER PRIMARY KEY,
    tenant_id   INTEGER NOT NULL,
    incident_id INTEGER NOT NULL,
    number      INTEGER NOT NULL,
    kind        TEXT NOT NULL,
    at          INTEGER NOT NULL,
    generation  INTEGER NOT NULL,
    author      TEXT NOT NULL,
    note        TEXT NOT NULL,
    why         TEXT NOT NULL, -- who hears of it, and what decided so
    snapshot    TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX incident_version_number ON incident_version (incident_id, number);

CREATE TABLE delivery (
    id          INTEGER PRIMARY KEY,
    tenant_id   INTEGER NOT NULL,
    incident_id INTEGER NOT NULL,
    version     INTEGER NOT NULL,
    destination TEXT NOT NULL,
    kind        TEXT NOT NULL,
    state       TEXT NOT NULL CHECK (state = 'due' OR state = 'delivered' OR state = 'leased' OR state = 'parked'
                OR state = 'folded' OR state = 'dead' OR state = 'discarded'),
    attempt     INTEGER NOT NULL,
    next_at     INTEGER NOT NULL,
    fault       TEXT NOT NULL,
    fault_tries INTEGER NOT NULL,
    first_at    INTEGER,
    created_at  INTEGER NOT NULL,
    done_at     INTEGER,
    folded_into INTEGER,
    resend_of   INTEGER, -- the delivery that a person has sent once more
    last_error  TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX delivery_once ON delivery (incident_id, version, destination) WHERE resend_of IS NULL;
CREATE INDEX delivery_dead ON delivery (destination, done_at) WHERE state = 'dead';
CREATE INDEX delivery_due ON delivery (destination, next_at) WHERE state = 'due';
CREATE INDEX delivery_lane ON delivery (destination, incident_id, version) WHERE (state = 'due' OR state = 'leased' OR state = 'parked');
CREATE INDEX delivery_parked ON delivery (destination, id) WHERE state = 'parked';

CREATE TABLE attempt (
    id          INTEGER PRIMARY KEY,
    tenant_id   INTEGER NOT NULL,
    delivery_id INTEGER NOT NULL,
    destination TEXT NOT NULL,
    number      INTEGER NOT NULL,
    at          INTEGER NOT NULL,
    took        INTEGER NOT NULL, -- microseconds
    status      INTEGER NOT NULL,
    class       TEXT NOT NULL,
    error       TEXT NOT NULL,
    snippet     TEXT NOT NULL,
    address     TEXT NOT NULL,
    exchange    TEXT NOT NULL  -- JSON: what was asked, without body and secrets, and the answer's header
) STRICT;
CREATE INDEX attempt_list ON attempt (delivery_id, id);
CREATE INDEX attempt_trouble ON attempt (destination, id) WHERE class <> '';

-- What a destination's sender remembers of an incident, such as the id of a
-- message that it changes later.
CREATE TABLE destination_memory (
    tenant_id   INTEGER NOT NULL,
    incident_id INTEGER NOT NULL,
    destination TEXT NOT NULL,
    memory      TEXT NOT NULL,
    PRIMARY KEY (incident_id, destination)
) STRICT, WITHOUT ROWID;

-- What people have asked for many deliveries at once, and how far that is.
CREATE TABLE bulk (
    id          INTEGER PRIMARY KEY,
    tenant_id   INTEGER NOT NULL,
    action      TEXT NOT NULL CHECK (action IN ('retry', 'discard')),
    new_id      INTEGER NOT NULL,
    destination TEXT NOT NULL,
    incident_id INTEGER,
    delivery    TEXT NOT NULL, -- their state
    since       INTEGER,
    until       INTEGER,
    state       TEXT NOT NULL CHECK (state IN ('running', 'done', 'cancelled')),
    total       INTEGER NOT NULL,
    done        INTEGER NOT NULL,
    changed     INTEGER NOT NULL,
    cursor      INTEGER,
    created_at  INTEGER NOT NULL,
    ended_at    INTEGER
) STRICT;

CREATE TABLE destination_state (
    tenant_id       INTEGER NOT NULL,
    destination     TEXT NOT NULL,
    disabled        TEXT NOT NULL,
    since           INTEGER,
    paused_until    INTEGER,
    throttled_since INTEGER,
    last_success    INTEGER,
    last_failure    INTEGER,
    last_error      TEXT NOT NULL,
    failures        INTEGER NOT NULL,
    probe_at        INTEGER,
    probes          INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, destination)
) STRICT, WITHOUT ROWID;

-- What happened within each minute; the last one of a subject is kept for ever.
CREATE TABLE integration_minute (
    tenant_id   INTEGER NOT NULL,
    subject     TEXT NOT NULL,
    minute      INTEGER NOT NULL,
    ok          INTEGER NOT NULL,
    failed      INTEGER NOT NULL,
    last_at     INTEGER,
    last_ok_at  INTEGER,
    PRIMARY KEY (tenant_id, subject, minute)
) STRICT, WITHOUT ROWID;

-- How many requests were stored in each hour of their ids: counted with them,
-- so that one which is missing shows.
CREATE TABLE request_count (
    tenant_id   INTEGER NOT NULL,
    integration TEXT NOT NULL,
    hour        INTEGER NOT NULL,
    stored      INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, integration, hour)
) STRICT, WITHOUT ROWID;

CREATE TABLE destination_minute (
    tenant_id   INTEGER NOT NULL,
    subject     TEXT NOT NULL,
    minute      INTEGER NOT NULL,
    ok          INTEGER NOT NULL,
    failed      INTEGER NOT NULL,
    last_at     INTEGER,
    last_ok_at  INTEGER,
    PRIMARY KEY (tenant_id, subject, minute)
) STRICT, WITHOUT ROWID;

CREATE TABLE refusal (
    id          INTEGER PRIMARY KEY,
    tenant_id   INTEGER NOT NULL,
    integration TEXT NOT NULL,
    at          INTEGER NOT NULL,
    source      TEXT NOT NULL,
    code        TEXT NOT NULL,
    reason      TEXT NOT NULL
) STRICT;
CREATE INDEX refusal_list ON refusal (tenant_id, integration, id);

-- The last number that was drawn before incidents were deleted: those that are
-- past their time are gone, and their numbers stay used.
CREATE TABLE tenant_counter (
    tenant_id INTEGER PRIMARY KEY,
    incident  INTEGER NOT NULL
) STRICT;

CREATE TABLE silence (
    id         INTEGER PRIMARY KEY,
    tenant_id  INTEGER NOT NULL,
    author     TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    starts_at  INTEGER NOT NULL,
    ends_at    INTEGER NOT NULL,
    expired_at INTEGER,
    expired_by TEXT NOT NULL,
    reason     TEXT NOT NULL,
    matcher    TEXT NOT NULL
) STRICT;
CREATE INDEX silence_end ON silence (ends_at);

-- What is known of those who promise to send something now and then.
CREATE TABLE heartbeat (
    tenant_id   INTEGER NOT NULL,
    integration TEXT NOT NULL,
    since       INTEGER NOT NULL,
    missing     INTEGER,
    PRIMARY KEY (tenant_id, integration)
) STRICT, WITHOUT ROWID;

-- Which JSON paths an integration's requests have, and how often.
CREATE TABLE shape (
    tenant_id   INTEGER NOT NULL,
    integration TEXT NOT NULL,
    state       TEXT NOT NULL,
    PRIMARY KEY (tenant_id, integration)
) STRICT, WITHOUT ROWID;

CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
