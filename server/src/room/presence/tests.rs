use super::*;

const NODE: NodeId = NodeId(1);
const ADA: MemberId = MemberId(1);
const BO: MemberId = MemberId(2);

fn entry(client: u64, clock: u64, state: &str) -> AwarenessEntry {
    AwarenessEntry {
        client,
        clock,
        state: state.to_owned(),
    }
}

struct Room {
    presence: Presence,
    limits: Limits,
    start: Instant,
}

impl Room {
    fn new() -> Self {
        Self {
            presence: Presence::default(),
            limits: Limits::default(),
            start: Instant::now(),
        }
    }

    fn at(&self, second: u64) -> Instant {
        self.start + Duration::from_secs(second)
    }

    /// A member that came at second `joined` says something at second `now`.
    fn says(
        &mut self,
        member: MemberId,
        joined: u64,
        now: u64,
        entries: &[AwarenessEntry],
    ) -> Heard {
        let (joined, now) = (self.at(joined), self.at(now));
        self.presence
            .hear(member, joined, entries.to_vec(), now, &self.limits)
    }
}

#[test]
fn a_state_belongs_to_the_connection_that_set_it() {
    let mut room = Room::new();
    let ada = entry(1, 1, r#"{"user":"Ada"}"#);
    let heard = room.says(ADA, 0, 0, std::slice::from_ref(&ada));
    assert_eq!(heard.relay, std::slice::from_ref(&ada));
    let bo = entry(2, 1, "{}");
    room.says(BO, 0, 0, std::slice::from_ref(&bo));
    // Neither a newer state nor a removal by somebody else is taken.
    for forged in [entry(1, 9, "{}"), entry(1, 9, "null"), entry(1, 1, "null")] {
        assert_eq!(room.says(BO, 0, 1, &[forged]), Heard::default());
    }
    let mut all = room.presence.all();
    all.sort_by_key(|entry| entry.client);
    assert_eq!(all, [ada, bo]);
}

#[test]
fn a_state_goes_with_its_connection() {
    let mut room = Room::new();
    room.says(ADA, 0, 0, &[entry(1, 4, "{}")]);
    let gone = room.presence.leave(ADA, room.at(1));
    assert_eq!(gone, [entry(1, 4, "null")]);
    assert!(room.presence.all().is_empty());
    assert_eq!(room.presence.bytes, 0);
    // A y-websocket client that repeats what it had heard brings no ghost back.
    assert_eq!(room.says(BO, 0, 2, &[entry(1, 4, "{}")]), Heard::default());
}

#[test]
fn who_reconnects_is_seen_at_once() {
    let mut room = Room::new();
    room.says(ADA, 0, 0, &[entry(1, 4, "{}")]);
    room.presence.leave(ADA, room.at(1));
    let heard = room.says(MemberId(3), 2, 2, &[entry(1, 4, "{}")]);
    assert_eq!(heard.relay, [entry(1, 5, "{}")]);
}

#[test]
fn who_reconnects_before_the_old_connection_is_gone_gets_its_place() {
    let mut room = Room::new();
    room.says(ADA, 0, 0, &[entry(1, 4, "{}")]);
    let again = MemberId(3);
    let heard = room.says(again, 2, 2, &[entry(1, 4, r#"{"new":1}"#)]);
    assert_eq!((heard.relay.len(), heard.probe), (0, Some(ADA)));
    let relay = room.presence.leave(ADA, room.at(3));
    assert_eq!(relay, [entry(1, 5, r#"{"new":1}"#)]);
    let next = entry(1, 6, "{}");
    let heard = room.says(again, 2, 4, std::slice::from_ref(&next));
    assert_eq!(heard.relay, [next]);
}

#[test]
fn a_claim_is_void_once_its_owner_shows_itself() {
    let mut room = Room::new();
    room.says(ADA, 0, 0, &[entry(1, 4, "{}")]);
    // One who shows nothing itself and repeats what it hears, as y-websocket does.
    assert_eq!(room.says(BO, 1, 1, &[entry(1, 4, "{}")]).probe, Some(ADA));
    room.says(ADA, 0, 2, &[entry(1, 5, "{}")]);
    let gone = room.presence.leave(ADA, room.at(3));
    assert_eq!(gone, [entry(1, 5, "null")]);
}

#[test]
fn a_state_that_is_not_renewed_expires() {
    let mut room = Room::new();
    room.says(ADA, 0, 0, &[entry(1, 1, "{}")]);
    room.says(BO, 0, 20, &[entry(2, 1, "{}")]);
    let timeout = Duration::from_secs(30);
    assert!(room.presence.expire(room.at(30), timeout).is_empty());
    let gone = room.presence.expire(room.at(31), timeout);
    assert_eq!(gone, [entry(1, 1, "null")]);
    // Its next renewal brings it back.
    assert_eq!(room.says(ADA, 0, 32, &[entry(1, 2, "{}")]).relay.len(), 1);
}

#[test]
fn caps_and_rules_are_kept() {
    let mut room = Room::new();
    room.limits.awareness_state_bytes = 100;
    room.limits.awareness_clients_per_member = 2;
    room.limits.awareness_room_bytes = 150;
    let long = format!("\"{}\"", "x".repeat(98));
    let bad = [
        entry(1, 1, &"x".repeat(101)),
        entry(1, 1, "{"),
        entry(1, u64::MAX, "{}"),
        entry(1, 1, &"[".repeat(99)),
    ];
    assert_eq!(room.says(ADA, 0, 0, &bad).refused, bad.len());
    assert_eq!(room.says(ADA, 0, 0, &[entry(1, 1, &long)]).refused, 0);
    assert_eq!(room.says(BO, 0, 0, &[entry(2, 1, &long)]).refused, 1);
    let many: Vec<_> = (10..14).map(|client| entry(client, 1, "{}")).collect();
    assert_eq!(room.says(BO, 0, 0, &many).refused, 2);
}

#[test]
fn another_nodes_clients_are_its_own() {
    let mut room = Room::new();
    let (now, limits) = (room.at(0), room.limits.clone());
    let there = entry(7, 1, "{}");
    let relay = room
        .presence
        .hear_elsewhere(NODE, vec![there.clone()], now, &limits);
    assert_eq!(relay, [there]);
    assert!(room.presence.own().is_empty());
    room.says(ADA, 0, 0, &[entry(1, 1, "{}")]);
    let forged = vec![entry(1, 2, "null")];
    assert!(
        room.presence
            .hear_elsewhere(NODE, forged, now, &limits)
            .is_empty()
    );
}

#[test]
fn a_nodes_clients_go_with_it_unless_they_have_gone_over() {
    let mut room = Room::new();
    let (now, limits) = (room.at(0), room.limits.clone());
    let other = NodeId(2);
    let mut hear = |node, entry| {
        let presence = &mut room.presence;
        presence
            .hear_elsewhere(node, vec![entry], now, &limits)
            .len()
    };
    assert_eq!(hear(NODE, entry(7, 1, "{}")), 1);
    assert_eq!(hear(NODE, entry(8, 1, "{}")), 1);
    // Another node may not end it, nor repeat it; but the client may be there now.
    assert_eq!(hear(other, entry(7, 1, "null")), 0);
    assert_eq!(hear(other, entry(7, 1, "{}")), 0);
    assert_eq!(hear(other, entry(7, 2, "{}")), 1);
    assert_eq!(hear(NODE, entry(7, 1, "null")), 0);
    let gone = room.presence.left_elsewhere(NODE, now);
    assert_eq!(gone, [entry(8, 1, "null")]);
    assert_eq!(room.presence.all(), [entry(7, 2, "{}")]);
}

#[test]
fn whom_a_node_does_not_name_again_is_gone() {
    let mut room = Room::new();
    let (now, limits) = (room.at(0), room.limits.clone());
    let there = [entry(7, 1, "{}"), entry(8, 1, "{}")];
    let presence = &mut room.presence;
    presence.hear_elsewhere(NODE, there.to_vec(), now, &limits);
    presence.doubt(Some(NodeId(2)), now);
    assert!(!presence.has_doubts());
    presence.doubt(Some(NODE), now);
    let relay = presence.hear_elsewhere(NODE, there[..1].to_vec(), now, &limits);
    assert!(relay.is_empty() && presence.has_doubts());
    let timeout = Duration::from_secs(30);
    assert!(room.presence.expire(room.at(6), timeout).is_empty());
    assert_eq!(
        room.presence.expire(room.at(7), timeout),
        [entry(8, 1, "null")]
    );
    assert!(!room.presence.has_doubts());
}
