use super::*;

const NODE: NodeId = NodeId(1);
const OTHER: NodeId = NodeId(2);
const ADA: MemberId = MemberId(1);
const BO: MemberId = MemberId(2);
const AGAIN: MemberId = MemberId(3);

/// The time of day at second 0.
const START: u64 = 10_000;

fn entry(client: u64, clock: u64, state: &str) -> AwarenessEntry {
    AwarenessEntry {
        client,
        clock,
        state: state.to_owned(),
    }
}

/// The clock of what is told at a second.
fn clock(second: u64) -> u64 {
    START + second * 8
}

fn told(news: &[News]) -> Vec<AwarenessEntry> {
    news.iter().map(News::entry).collect()
}

struct Room {
    presence: Presence,
    limits: Limits,
    start: Instant,
    /// How far its time of day is ahead, in eighths of a second.
    ahead: i64,
}

impl Room {
    fn new() -> Self {
        Self {
            presence: Presence::default(),
            limits: Limits::default(),
            start: Instant::now(),
            ahead: 0,
        }
    }

    /// Of a node with another time of day.
    fn ahead(seconds: i64) -> Self {
        Self {
            ahead: seconds * 8,
            ..Self::new()
        }
    }

    fn at(&self, second: u64) -> Moment {
        self.at_ms(second * 1_000)
    }

    fn at_ms(&self, ms: u64) -> Moment {
        Moment {
            at: self.start + Duration::from_millis(ms),
            eighths: (START + ms / 125).saturating_add_signed(self.ahead),
        }
    }

    /// A member that came at second `joined` says something at second `now`.
    fn says(
        &mut self,
        member: MemberId,
        joined: u64,
        now: u64,
        entries: &[AwarenessEntry],
    ) -> Heard {
        let (joined, now) = (self.at(joined).at, self.at(now));
        self.presence
            .hear(member, joined, entries.to_vec(), now, &self.limits)
    }

    fn hears(&mut self, node: NodeId, now: u64, entries: &[AwarenessEntry]) -> Vec<AwarenessEntry> {
        let now = self.at(now);
        let presence = &mut self.presence;
        told(&presence.hear_elsewhere(node, entries.to_vec(), now, &self.limits))
    }

    /// What a member that comes at this second hears of a client.
    fn greets(&mut self, member: MemberId, now: u64, client: u64) -> Option<AwarenessEntry> {
        let now = self.at(now);
        let all = self.presence.greet(member, now);
        all.into_iter().find(|entry| entry.client == client)
    }
}

#[test]
fn a_state_belongs_to_the_connection_that_set_it() {
    let mut room = Room::new();
    let ada = entry(1, 1, r#"{"user":"Ada"}"#);
    let heard = room.says(ADA, 0, 0, std::slice::from_ref(&ada));
    assert_eq!(told(&heard.relay), [entry(1, clock(0), &ada.state)]);
    // It hears of itself with its own clock only.
    assert_eq!(heard.relay[0].own_entry(), ada);
    assert_eq!(heard.relay[0].member(), Some(ADA));
    room.says(BO, 0, 0, &[entry(2, 1, "{}")]);
    // Neither a newer state nor a removal by somebody else is taken.
    for forged in [entry(1, 9, "{}"), entry(1, 9, "null"), entry(1, 1, "null")] {
        assert_eq!(room.says(BO, 0, 1, &[forged]), Heard::default());
    }
    for (member, clocks) in [(ADA, [1, clock(0)]), (BO, [clock(0), 1])] {
        let mut all = room.presence.all(member);
        all.sort_by_key(|entry| entry.client);
        let expected = [entry(1, clocks[0], &ada.state), entry(2, clocks[1], "{}")];
        assert_eq!(all, expected);
    }
}

#[test]
fn a_state_goes_with_its_connection() {
    let mut room = Room::new();
    room.says(ADA, 0, 0, &[entry(1, 4, "{}")]);
    let gone = room.presence.leave(ADA, room.at(1));
    assert_eq!(told(&gone), [entry(1, clock(0), "null")]);
    assert!(room.presence.all(BO).is_empty());
    assert_eq!(room.presence.bytes, 0);
    // A client that repeats what it had heard brings no ghost back.
    let repeated = entry(1, clock(0), "{}");
    assert_eq!(room.says(BO, 0, 2, &[repeated]), Heard::default());
}

#[test]
fn who_reconnects_is_seen_at_once() {
    let mut room = Room::new();
    room.says(ADA, 0, 0, &[entry(1, 4, "{}")]);
    room.presence.leave(ADA, room.at(0));
    let heard = room.says(AGAIN, 2, 2, &[entry(1, 4, "{}")]);
    assert_eq!(told(&heard.relay), [entry(1, clock(2), "{}")]);
    // Within one eighth of a second as well.
    room.presence.leave(AGAIN, room.at(2));
    let heard = room.says(MemberId(4), 2, 2, &[entry(1, 4, "{}")]);
    assert_eq!(told(&heard.relay), [entry(1, clock(2) + 1, "{}")]);
    // The connection may have been there before the old one was found dead.
    room.presence.leave(MemberId(4), room.at(3));
    let heard = room.says(MemberId(5), 2, 3, &[entry(1, 4, "{}")]);
    assert_eq!(told(&heard.relay), [entry(1, clock(3), "{}")]);
}

#[test]
fn who_reconnects_sees_everybody_at_once_and_what_they_show_next() {
    let mut room = Room::new();
    room.says(ADA, 0, 0, &[entry(1, 1, "{}")]);
    let mut known = clock(0);
    for second in [0, 0, 1, 30, 30, 30] {
        let greeting = room.greets(BO, second, 1).unwrap();
        assert!(greeting.clock > known, "{second}");
        known = greeting.clock;
    }
    for clock in 2..15 {
        let heard = room.says(ADA, 0, 30, &[entry(1, clock, "{}")]);
        let next = heard.relay[0].entry();
        assert!(next.clock > known);
        known = next.clock;
    }
    // And its end.
    let gone = room.presence.leave(ADA, room.at(30));
    assert_eq!(told(&gone), [entry(1, known, "null")]);
}

#[test]
fn a_client_never_hears_a_newer_clock_of_itself() {
    let mut room = Room::new();
    room.says(ADA, 0, 0, &[entry(1, 4, r#"{"old":1}"#)]);
    // The old connection is not found dead yet.
    room.says(AGAIN, 2, 2, &[entry(1, 5, r#"{"new":1}"#)]);
    assert_eq!(room.greets(AGAIN, 2, 1), None);
    let relay = room.presence.leave(ADA, room.at(3));
    assert_eq!(relay[0].own_entry(), entry(1, 5, r#"{"new":1}"#));
    assert_eq!(relay[0].member(), Some(AGAIN));
    let own = room.greets(AGAIN, 4, 1).unwrap();
    assert_eq!(own, entry(1, 5, r#"{"new":1}"#));
}

#[test]
fn a_server_that_has_forgotten_everything_makes_newer_clocks() {
    let mut room = Room::new();
    let mut last = 0;
    for n in 0..1_000 {
        let now = room.at_ms(n * 10);
        let said = vec![entry(1, n, "{}")];
        let heard = room.presence.hear(ADA, now.at, said, now, &room.limits);
        last = heard.relay.first().map_or(last, |news| news.entry().clock);
        room.presence.greet(MemberId(100 + n), now);
    }
    // However much was told, the clock is not far ahead of the time: see `AHEAD`.
    assert!(last > clock(9) && last < clock(10) + 16 + 4 + 3, "{last}");
    let after = Room {
        presence: Presence::default(),
        ..room
    };
    let mut room = after;
    let heard = room.says(AGAIN, 15, 15, &[entry(1, 3, "{}")]);
    assert!(heard.relay[0].entry().clock > last);
}

#[test]
fn what_comes_too_fast_is_told_a_little_later() {
    let mut room = Room::new();
    let mut relayed = 0;
    for n in 1..=100 {
        relayed += room.says(ADA, 0, 0, &[entry(1, n, "{}")]).relay.len();
    }
    assert_eq!(relayed, 17);
    assert!(room.presence.release(room.at(0)).is_empty());
    let last = entry(1, 101, r#"{"last":1}"#);
    assert!(room.says(ADA, 0, 0, &[last]).relay.is_empty());
    let due = room.presence.release_at().unwrap();
    assert!(due > room.at(0).at && due <= room.at(0).at + Duration::from_millis(125));
    let relay = room.presence.release(room.at(1));
    assert_eq!(
        told(&relay),
        [entry(1, clock(0) + 17, r#"{"last":1}"#)],
        "once, and the latest"
    );
    assert_eq!(room.presence.release_at(), None);
    assert!(room.presence.release(room.at(9)).is_empty());
}

#[test]
fn who_reconnects_before_the_old_connection_is_gone_gets_its_place() {
    let mut room = Room::new();
    room.says(ADA, 0, 0, &[entry(1, 4, "{}")]);
    let heard = room.says(AGAIN, 2, 2, &[entry(1, 4, r#"{"new":1}"#)]);
    assert_eq!((heard.relay.len(), heard.probe), (0, Some(ADA)));
    let relay = room.presence.leave(ADA, room.at(3));
    assert_eq!(told(&relay), [entry(1, clock(3), r#"{"new":1}"#)]);
    let heard = room.says(AGAIN, 2, 4, &[entry(1, 5, "{}")]);
    assert_eq!(told(&heard.relay), [entry(1, clock(4), "{}")]);
}

#[test]
fn a_claim_is_void_once_its_owner_shows_itself() {
    let mut room = Room::new();
    room.says(ADA, 0, 0, &[entry(1, 4, "{}")]);
    // One who shows nothing itself and repeats what it hears claims nothing, though others have come meanwhile.
    for second in [0, 1, 1] {
        let repeated = entry(1, clock(0), "{}");
        assert_eq!(room.says(BO, 1, 1, &[repeated]), Heard::default());
        room.greets(AGAIN, second, 1);
    }
    assert_eq!(room.says(BO, 1, 1, &[entry(1, 4, "{}")]).probe, Some(ADA));
    room.says(ADA, 0, 2, &[entry(1, 5, "{}")]);
    assert_eq!(room.presence.claimant(1), None);
    let gone = room.presence.leave(ADA, room.at(3));
    assert_eq!(told(&gone), [entry(1, clock(2), "null")]);
}

#[test]
fn a_state_that_is_not_renewed_expires() {
    let mut room = Room::new();
    room.says(ADA, 0, 0, &[entry(1, 1, "{}")]);
    room.says(BO, 0, 20, &[entry(2, 1, "{}")]);
    let timeout = Duration::from_secs(30);
    assert!(room.presence.expire(room.at(30), timeout).is_empty());
    let gone = room.presence.expire(room.at(31), timeout);
    assert_eq!(told(&gone), [entry(1, clock(0), "null")]);
    assert_eq!(gone[0].own_entry(), entry(1, 1, "null"));
    // Its next renewal brings it back.
    let heard = room.says(ADA, 0, 32, &[entry(1, 2, "{}")]);
    assert_eq!(told(&heard.relay), [entry(1, clock(32), "{}")]);
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
    let there = entry(7, clock(0), "{}");
    let relay = room.hears(NODE, 0, std::slice::from_ref(&there));
    assert_eq!(relay, [there]);
    assert!(room.presence.own(room.at(0)).is_empty());
    room.says(ADA, 0, 0, &[entry(1, 1, "{}")]);
    assert!(
        room.hears(NODE, 0, &[entry(1, clock(2), "null")])
            .is_empty()
    );
    assert_eq!(room.presence.own(room.at(1)).len(), 1);
}

#[test]
fn a_nodes_clients_go_with_it_unless_they_have_gone_over() {
    let mut room = Room::new();
    let before = [entry(7, clock(0), "{}"), entry(8, clock(0), "{}")];
    assert_eq!(room.hears(NODE, 0, &before).len(), 2);
    // Another node may not end it, nor repeat it; but the client may be there now.
    assert!(
        room.hears(OTHER, 1, &[entry(7, clock(0), "null")])
            .is_empty()
    );
    assert!(room.hears(OTHER, 1, &[entry(7, clock(0), "{}")]).is_empty());
    let there = entry(7, clock(1), "{}");
    assert_eq!(
        room.hears(OTHER, 1, std::slice::from_ref(&there)),
        std::slice::from_ref(&there)
    );
    assert!(
        room.hears(NODE, 1, &[entry(7, clock(1), "null")])
            .is_empty()
    );
    let gone = room.presence.left_elsewhere(NODE, room.at(1));
    assert_eq!(told(&gone), [entry(8, clock(0), "null")]);
    assert_eq!(room.presence.all(ADA), [there]);
}

#[test]
fn who_comes_over_from_a_node_that_has_died_gets_its_place() {
    let mut room = Room::new();
    room.hears(
        NODE,
        0,
        &[entry(7, clock(0), "{}"), entry(8, clock(0), "{}")],
    );
    let heard = room.says(ADA, 2, 2, &[entry(7, 3, r#"{"new":1}"#)]);
    assert_eq!(heard.probe_elsewhere, Some((NODE, 7)));
    // Whoever has come over sees the others who have, though it knows their clocks.
    assert_eq!(room.greets(ADA, 2, 8), Some(entry(8, clock(2), "{}")));
    let relay = room.presence.left_elsewhere(NODE, room.at(10));
    let relay: Vec<_> = relay
        .iter()
        .filter(|news| news.member().is_some())
        .collect();
    assert_eq!(relay[0].entry(), entry(7, clock(10), r#"{"new":1}"#));
}

#[test]
fn who_comes_over_from_a_node_where_many_had_just_come_sees_everybody() {
    let (mut dies, mut stays) = (Room::new(), Room::new());
    let published = told(&dies.says(ADA, 0, 0, &[entry(7, 1, "{}")]).relay);
    stays.hears(NODE, 0, &published);
    let known = (0..50).map(|_| dies.greets(BO, 0, 7).unwrap().clock).max();
    let greeting = stays.greets(BO, 1, 7).unwrap();
    assert!(Some(greeting.clock) > known, "{greeting:?} {known:?}");
}

#[test]
fn clocks_grow_for_who_moves_between_nodes_whose_clocks_differ() {
    // The client is on the first node; the second one's clock is a minute ahead, the third one's behind.
    let mut nodes = [Room::new(), Room::ahead(60), Room::ahead(-60)];
    let mut known = 0;
    for second in (0..60).step_by(10) {
        let said = entry(1, second, &format!(r#"{{"at":{second}}}"#));
        let heard = nodes[0].says(ADA, 0, second, &[said]);
        let published = told(&heard.relay);
        for node in &mut nodes[1..] {
            assert_eq!(node.hears(NODE, second, &published).len(), 1);
        }
        // Who sees it goes from node to node.
        assert!(published[0].clock > known);
        known = published[0].clock;
        for (node, at) in [1, 2, 0, 2, 1].into_iter().zip(second + 1..) {
            let greeting = nodes[node].greets(BO, at, 1).unwrap();
            assert!(greeting.clock > known, "node {node}, second {at}");
            known = greeting.clock;
        }
    }
    // A node that comes late, and asks.
    let asked = nodes[0].presence.own(nodes[0].at(70));
    let mut late = Room::ahead(-60);
    assert!(late.hears(NODE, 70, &asked)[0].clock > known);
    // Whom it shows already, unchanged, is told again now and then only.
    assert_eq!(nodes[1].hears(NODE, 70, &asked).len(), 1);
    let again = nodes[0].presence.own(nodes[0].at(72));
    assert!(nodes[1].hears(NODE, 72, &again).is_empty());
    let again = nodes[0].presence.own(nodes[0].at(76));
    assert_eq!(nodes[1].hears(NODE, 76, &again).len(), 1);
}

#[test]
fn whom_a_node_does_not_name_again_is_gone() {
    let mut room = Room::new();
    let there = [entry(7, clock(0), "{}"), entry(8, clock(0), "{}")];
    room.hears(NODE, 0, &there);
    let now = room.at(0).at;
    room.presence.doubt(Some(OTHER), now);
    assert!(!room.presence.has_doubts());
    room.presence.doubt(Some(NODE), now);
    assert!(room.hears(NODE, 0, &there[..1]).is_empty() && room.presence.has_doubts());
    let timeout = Duration::from_secs(30);
    assert!(room.presence.expire(room.at(6), timeout).is_empty());
    let gone = room.presence.expire(room.at(7), timeout);
    assert_eq!(told(&gone), [entry(8, clock(0), "null")]);
    assert!(!room.presence.has_doubts());
}
