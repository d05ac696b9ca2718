//! Every figure that the server tells, with what it means: Prometheus shows it as help, and
//! `docs/operations.md` as a table.

/// How a figure behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only ever grows, until the process ends.
    Counter,
    /// Goes up and down.
    Gauge,
    /// A distribution.
    Histogram,
}

/// Of what there is a figure for each value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Labels {
    /// There is one figure.
    None,
    /// Of this, which has these values.
    Of(&'static str, &'static [&'static str]),
    /// Of something whose values only show in time.
    Open,
}

/// A figure.
#[derive(Debug, Clone, Copy)]
pub struct Figure {
    /// As `/metrics` has it; the unit is its last word, or the word before `_total`.
    pub name: &'static str,
    /// How it behaves.
    pub kind: Kind,
    /// Whether there is one of it for each value of something.
    pub labels: Labels,
    /// What it means, in one sentence without a full stop.
    pub meaning: &'static str,
}

const fn counter(name: &'static str, meaning: &'static str) -> Figure {
    let kind = Kind::Counter;
    Figure {
        name,
        kind,
        labels: Labels::None,
        meaning,
    }
}

/// One for each value of something, which the meaning names.
const fn counters(name: &'static str, meaning: &'static str) -> Figure {
    Figure {
        labels: Labels::Open,
        ..counter(name, meaning)
    }
}

/// One for each of these values of a label.
const fn counters_by(
    name: &'static str,
    label: &'static str,
    values: &'static [&'static str],
    meaning: &'static str,
) -> Figure {
    Figure {
        labels: Labels::Of(label, values),
        ..counter(name, meaning)
    }
}

const fn gauge(name: &'static str, meaning: &'static str) -> Figure {
    let kind = Kind::Gauge;
    Figure {
        name,
        kind,
        labels: Labels::None,
        meaning,
    }
}

const fn histogram(name: &'static str, meaning: &'static str) -> Figure {
    let kind = Kind::Histogram;
    Figure {
        name,
        kind,
        labels: Labels::None,
        meaning,
    }
}

/// All of them, by what they are about.
pub const CATALOG: &[Figure] = &[
    // What is not saved yet.
    gauge(
        "tutti_unsaved_seconds",
        "How long the oldest edit that is not durable has been waiting; 0 if all is saved",
    ),
    gauge(
        "tutti_unsaved_bytes",
        "Edits that are in memory only; at --max-unsaved-mb no more are taken",
    ),
    gauge(
        "tutti_failing_rooms",
        "Rooms whose last write failed; their members are shown \"not saved\"",
    ),
    gauge(
        "tutti_damaged_documents",
        "Documents that do not open because what is stored of them is damaged; the log names them",
    ),
    histogram(
        "tutti_save_seconds",
        "From the oldest edit of a write until that write was durable: what people wait for \"saved\"",
    ),
    histogram(
        "tutti_store_commit_seconds",
        "One write of the store, with its sync",
    ),
    histogram("tutti_store_group_updates", "Edits that one write carried"),
    counter("tutti_store_commits_total", "Writes that were durable"),
    counter(
        "tutti_store_failures_total",
        "Writes that failed; they are tried again until they succeed",
    ),
    counter(
        "tutti_store_compactions_total",
        "Logs that were made into snapshots",
    ),
    histogram(
        "tutti_mongodb_operation_seconds",
        "One operation of the database, by operation",
    ),
    counters(
        "tutti_mongodb_operations_total",
        "Operations of the database, by operation",
    ),
    counters(
        "tutti_mongodb_failures_total",
        "Operations of the database that failed, by operation",
    ),
    // Rooms and memory.
    gauge("tutti_rooms_resident", "Rooms in memory"),
    gauge("tutti_rooms_in_use", "Rooms with somebody in them"),
    gauge(
        "tutti_resident_bytes",
        "Memory of the documents of all resident rooms, about",
    ),
    counters_by(
        "tutti_room_opens_total",
        "from",
        &["memory", "store"],
        "Rooms that were entered, from memory or from the store: the former are the cache's hits",
    ),
    counter(
        "tutti_room_evictions_total",
        "Rooms that left memory to make space for others",
    ),
    histogram(
        "tutti_document_load_seconds",
        "Reading a document out of the store",
    ),
    counter(
        "tutti_documents_rebuilt_total",
        "Documents that were read again because an update had spoilt them in memory",
    ),
    // Versions.
    counters(
        "tutti_versions_made_total",
        "Versions of projects that were made, by reason",
    ),
    counter(
        "tutti_version_failures_total",
        "Times that no version could be made of a project that had fallen quiet; it is tried again",
    ),
    // People.
    gauge("tutti_sockets", "WebSocket connections"),
    gauge("tutti_members", "Memberships of sockets in rooms"),
    gauge("tutti_newcomers_waiting", "People who wait to be let in"),
    counters(
        "tutti_sockets_closed_total",
        "Connections that the server closed, by close code",
    ),
    counter(
        "tutti_slow_member_resets_total",
        "Times that a member read too slowly, and was brought up to date in one piece instead",
    ),
    counter(
        "tutti_slow_members_dropped_total",
        "Connections that were given up because nothing could be written to them",
    ),
    counter(
        "tutti_paced_messages_total",
        "Messages that had to wait because their sender sent too much",
    ),
    counter(
        "tutti_rejected_frames_total",
        "Frames that are none of the protocol",
    ),
    counter(
        "tutti_rejected_updates_total",
        "Updates that were refused: not valid, or over a limit",
    ),
    counter(
        "tutti_rejected_awareness_total",
        "Presence that was refused: somebody else's, or over a limit",
    ),
    // Several nodes.
    gauge("tutti_fanout_connected", "1 while Redis is there, else 0"),
    gauge(
        "tutti_fanout_nodes",
        "Other nodes that were heard of lately",
    ),
    histogram(
        "tutti_fanout_lag_seconds",
        "How long this node's own beat takes through Redis and back",
    ),
    counter(
        "tutti_fanout_published_total",
        "Messages told to the other nodes",
    ),
    counter(
        "tutti_fanout_frames_total",
        "Frames that these were put together in",
    ),
    counter(
        "tutti_fanout_received_total",
        "Messages heard from other nodes",
    ),
    counters_by(
        "tutti_fanout_dropped_total",
        "why",
        &["slow room", "slow Redis", "not valid", "Redis is away"],
        "Messages that were not told or not taken in, by why; an exchange makes up for them",
    ),
    counter(
        "tutti_fanout_gaps_total",
        "Messages that never came, as their numbers show, and some whenever a node starts",
    ),
    counter(
        "tutti_fanout_exchanges_total",
        "Comparisons with other nodes, asked for by a gap or made now and then",
    ),
    counter(
        "tutti_fanout_differences_total",
        "Comparisons that found something missing",
    ),
    counter(
        "tutti_fanout_heals_total",
        "Times that what was missing has come",
    ),
    counter(
        "tutti_fanout_vouched_total",
        "Times that edits of other nodes were stored by this one too: somebody counted on them, or that node may have died",
    ),
    counter(
        "tutti_fanout_from_store_total",
        "Times that news of other nodes was read in the store",
    ),
    counter(
        "tutti_fanout_reconnects_total",
        "Connections to Redis after the first",
    ),
    // Requests.
    counters(
        "tutti_http_requests_total",
        "HTTP requests, by method, route and status",
    ),
    histogram(
        "tutti_http_request_seconds",
        "HTTP requests until their answer began, by route",
    ),
];

/// Tells the recorder what each figure means.
pub(super) fn describe() {
    for figure in CATALOG {
        match figure.kind {
            Kind::Counter => {
                metrics::describe_counter!(figure.name, figure.meaning);
                // One that begins with its first event has not increased by it, for Prometheus.
                match figure.labels {
                    Labels::None => metrics::counter!(figure.name).absolute(0),
                    Labels::Of(label, values) => {
                        for value in values {
                            metrics::counter!(figure.name, label => *value).absolute(0);
                        }
                    }
                    Labels::Open => {}
                }
            }
            Kind::Gauge => metrics::describe_gauge!(figure.name, figure.meaning),
            Kind::Histogram => metrics::describe_histogram!(figure.name, figure.meaning),
        }
    }
}
