//! Every cap the server keeps, in one place. Whoever meets one is told its name and its value.

use std::time::Duration;

/// The caps. Sizes are in bytes.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The largest WebSocket message accepted; a larger one closes its socket with 1009.
    pub message_bytes: usize,
    /// The largest document: an update that would take its encoded size over this is refused.
    pub document_bytes: usize,
    /// The largest content of a file that is no text.
    pub blob_bytes: u64,
    /// How long a content that no file has stays after it was last used.
    pub blob_grace: Duration,
    /// Versions of a project that nobody has named which are kept.
    pub kept_versions: usize,
    /// What one socket may send in a second on average; it is read more slowly beyond.
    pub bytes_per_second: u32,
    /// What one socket may send at once before it is slowed down.
    pub burst_bytes: u32,
    /// Messages a second on average that one socket may send; it is read more slowly beyond.
    pub messages_per_second: u32,
    /// Messages that one socket may send at once before it is slowed down.
    pub burst_messages: u32,
    /// Rooms that one Hocuspocus socket may be in.
    pub rooms_per_socket: usize,
    /// Resident rooms of one project that somebody is in.
    pub rooms_per_project: usize,
    /// Members of one room.
    pub members_per_room: usize,
    /// Sockets from one address.
    pub connections_per_address: usize,
    /// Failed authorisations of one socket before it is closed.
    pub auth_failures_per_socket: usize,
    /// What a socket may send before it is let in.
    pub pending_join_bytes: usize,
    /// What all sockets that were not let in yet may make the server hold together.
    pub newcomers_bytes: usize,
    /// What may wait to be sent to one member of a room before it is cleared and the member is
    /// brought up to date from its state vector.
    pub outbox_bytes: usize,
    /// How long one frame may take to be written to a socket before the socket is dropped.
    pub write_timeout: Duration,
    /// One client's awareness state.
    pub awareness_state_bytes: usize,
    /// Awareness client ids that one connection may own in a room.
    pub awareness_clients_per_member: usize,
    /// All awareness states of a room together.
    pub awareness_room_bytes: usize,
    /// How long an awareness state lives without being renewed (y-protocols: 30 s).
    pub awareness_timeout: Duration,
    /// What one room keeps of updates whose predecessors have not arrived.
    pub held_bytes: usize,
    /// What all rooms together may hold in memory that the store could not save yet; beyond it
    /// updates are refused.
    pub unsaved_bytes: usize,
    /// Memory for resident rooms; idle ones beyond it are unloaded, the longest unused first.
    pub cache_bytes: usize,
    /// Tokens of newcomers looked up at the same time; the others wait in the order they came.
    pub concurrent_checks: usize,
    /// Documents loaded from the store at the same time.
    pub concurrent_loads: usize,
    /// A document is compacted once its log has this many entries …
    pub compact_entries: usize,
    /// … or this many bytes, and more than its snapshot.
    pub compact_bytes: usize,
    /// How long the WebSocket peer may take to answer a ping before it is taken for dead.
    pub pong_timeout: Duration,
    /// The same where another connection claims what this one owns.
    pub probe_timeout: Duration,
    /// A member hears something at least this often (stock clients give up after 30 s).
    pub keep_alive: Duration,
    /// How long shutdown waits for the store.
    pub shutdown_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        const MIB: usize = 1024 * 1024;
        Self {
            message_bytes: 16 * MIB,
            document_bytes: 32 * MIB,
            blob_bytes: tutti_protocol::blob::DEFAULT_MAX_BYTES,
            blob_grace: Duration::from_secs(7 * 24 * 3600),
            kept_versions: 200,
            bytes_per_second: 8 * MIB as u32,
            burst_bytes: 64 * MIB as u32,
            messages_per_second: 2_000,
            burst_messages: 20_000,
            rooms_per_socket: 2_000,
            rooms_per_project: 20_000,
            members_per_room: 2_000,
            connections_per_address: 1_024,
            auth_failures_per_socket: 20,
            pending_join_bytes: 4 * MIB,
            newcomers_bytes: 64 * MIB,
            outbox_bytes: MIB,
            write_timeout: Duration::from_secs(30),
            awareness_state_bytes: 16 * 1024,
            awareness_clients_per_member: 4,
            awareness_room_bytes: 4 * MIB,
            awareness_timeout: Duration::from_secs(30),
            held_bytes: 4 * MIB,
            unsaved_bytes: 256 * MIB,
            cache_bytes: 256 * MIB,
            concurrent_checks: 6,
            concurrent_loads: 16,
            compact_entries: 500,
            compact_bytes: 256 * 1024,
            pong_timeout: Duration::from_secs(30),
            probe_timeout: Duration::from_secs(3),
            keep_alive: Duration::from_secs(20),
            shutdown_timeout: Duration::from_secs(10),
        }
    }
}
