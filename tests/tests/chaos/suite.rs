//! How one fault is played, and what has to be the case afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use fastrand::Rng;
use tutti_tests::collab::{Account, Member};
use tutti_tests::wait::pause;

use crate::audit;
use crate::clock::Clock;
use crate::cluster::{Cluster, NODES};
use crate::faults::{Expects, Fault};
use crate::person::{Person, Report};

const PEOPLE: u64 = 30;
const ROOMS: usize = 6;

/// How long everybody may take to come together again, and presence to be right.
const RECOVERY: Duration = Duration::from_secs(60);
const PRESENCE: Duration = Duration::from_secs(30);

/// How long people type before a fault, and before the lights go out.
const BEFORE: Duration = Duration::from_millis(1_200);

/// Between two looks at everybody.
const STEP: Duration = Duration::from_millis(50);

pub(crate) struct Suite {
    all: Cluster,
    people: Vec<Person>,
    rng: Rng,
    rows: Vec<Row>,
    clock: Clock,
    /// Client ids of people who have gone for good are not used again.
    guests: u64,
    audited: usize,
}

/// A line of the table that closes a run.
struct Row {
    fault: &'static str,
    together: Duration,
    present: Duration,
    oldest: Duration,
    swallowed: u64,
}

impl Suite {
    pub(crate) fn start(mut rng: Rng) -> Result<Self> {
        let all = Cluster::start(rng.u64(..))?;
        let people = (1..=PEOPLE).map(|client| {
            let room = client as usize % ROOMS;
            let member = all.member(&all.nodes[0], room, client);
            Person::start(member, client, room, all.addresses(), rng.u64(..))
        });
        let people: Vec<Person> = people.collect();
        for person in &people {
            person.online(true);
        }
        let mut suite = Self {
            all,
            people,
            rng,
            rows: Vec::new(),
            clock: Clock::start(),
            guests: 1_000,
            audited: 0,
        };
        suite.until_together()?;
        suite.until_present(Instant::now())?;
        Ok(suite)
    }

    /// Plays one fault.
    pub(crate) fn play(&mut self, fault: &'static Fault) -> Result<()> {
        let victim = self.rng.usize(..NODES);
        println!("{}, node {victim}", fault.name);
        let before = self.count()?;
        self.type_all(true);
        let guests = self.guests(victim)?;
        pause(BEFORE.mul_f64(0.5 + self.rng.f64()));
        let swallowed = self.all.swallowed();
        for person in &self.people {
            person.anew();
        }
        // When they have answered, they have begun to measure.
        self.reports()?;
        self.clock.anew();
        (fault.hit)(&mut self.all, victim)?;
        drop(guests);
        // How long a fault lasts is what the test is about.
        pause(fault.lasts);
        let during = self.reports()?;
        (fault.heal)(&mut self.all, victim)?;
        let late = self.clock.latest();
        let swallowed = self.all.swallowed() - swallowed;
        ensure!(
            (swallowed > 0) == fault.swallows,
            "the wires swallowed {swallowed} messages"
        );
        let oldest = during.iter().map(|report| report.oldest).max();
        let oldest = oldest.unwrap_or_default();
        expect(fault.expects, &self.people, &during, oldest, late)?;

        let healed = Instant::now();
        if fault.expects == Expects::ThenDark {
            self.lights_out()?;
        }
        self.type_all(false);
        let together = self.until_together().map(|()| healed.elapsed())?;
        let present = self.until_present(healed).map(|()| healed.elapsed())?;
        println!("  together after {together:.1?}, presence right after {present:.1?}");
        println!(
            "  the oldest edit that arrived meanwhile was {oldest:.1?} old, the machine up to {late:.1?} late"
        );
        self.rows.push(Row {
            fault: fault.name,
            together,
            present,
            oldest,
            swallowed,
        });
        let texts = audit::stored(&self.all, ROOMS)?;
        audit::check_rooms(&texts, &self.accounts()?, audit::check_all)
            .context("of what a fresh node reads once everything is saved")?;
        ensure!(self.count()? > before, "nothing was saved meanwhile");

        self.type_all(true);
        pause(BEFORE.mul_f64(0.2 + self.rng.f64()));
        self.lights_out()?;
        self.type_all(false);
        self.until_together()
    }

    /// The table, and the last word.
    pub(crate) fn close(self) -> Result<()> {
        println!(
            "{:<42} {:>9} {:>9} {:>9} {:>9}",
            "fault", "together", "presence", "oldest", "swallowed"
        );
        for row in &self.rows {
            println!(
                "{:<42} {:>7.1} s {:>7.1} s {:>7.1} s {:>9}",
                row.fault,
                row.together.as_secs_f64(),
                row.present.as_secs_f64(),
                row.oldest.as_secs_f64(),
                row.swallowed
            );
        }
        let edits: usize = self.count()?;
        println!(
            "{edits} edits acknowledged, looked for {} times, none lost",
            self.audited
        );
        Ok(())
    }

    fn type_all(&self, types: bool) {
        for person in &self.people {
            person.types(types);
        }
    }

    /// Somebody in each room, at the victim, whose connection ends with the fault and who never comes back.
    fn guests(&mut self, victim: usize) -> Result<Vec<Member>> {
        let mut guests = Vec::new();
        for room in 0..ROOMS {
            self.guests += 1;
            let mut guest = self.all.member(&self.all.nodes[victim], room, self.guests);
            guest.connect()?;
            guest.show_itself("guest")?;
            guests.push(guest);
        }
        let last = self.guests;
        let sees = |report: &Report| {
            report
                .present
                .iter()
                .any(|&client| client + (ROOMS as u64) > last)
        };
        self.until("the guests to be seen", PRESENCE, |reports| {
            reports
                .iter()
                .all(sees)
                .then_some(())
                .ok_or_else(String::new)
        })?;
        Ok(guests)
    }

    /// Kills all nodes while people type, and looks for what was acknowledged before anybody can send it again.
    fn lights_out(&mut self) -> Result<()> {
        self.all.kill_all_nodes()?;
        for person in &self.people {
            person.online(false);
        }
        let accounts = self.accounts()?;
        let texts = audit::stored(&self.all, ROOMS)?;
        let mut counted = 0;
        for (room, (text, accounts)) in texts.iter().zip(&accounts).enumerate() {
            let found = audit::check(text, accounts);
            let found = found.with_context(|| {
                format!("in room {room}, of what a fresh node reads with all others killed")
            })?;
            counted += found.acknowledged;
        }
        self.audited += counted;
        self.all.restart_all_nodes()?;
        for person in &self.people {
            person.online(true);
        }
        Ok(())
    }

    fn reports(&self) -> Result<Vec<Report>> {
        self.people.iter().map(Person::report).collect()
    }

    /// Acknowledged edits of everybody.
    fn count(&self) -> Result<usize> {
        Ok(self
            .reports()?
            .iter()
            .map(|report| report.acknowledged)
            .sum())
    }

    /// By room.
    fn accounts(&self) -> Result<Vec<Vec<Account>>> {
        let mut accounts = vec![Vec::new(); ROOMS];
        for person in &self.people {
            accounts[person.room].push(person.account()?);
        }
        Ok(accounts)
    }

    /// Waits until everybody is connected, has everything acknowledged and sees what the others in the room see.
    fn until_together(&mut self) -> Result<()> {
        self.until("all to come together", RECOVERY, |reports| {
            let mut texts: BTreeMap<usize, BTreeSet<(u64, usize)>> = BTreeMap::new();
            let mut apart = Vec::new();
            for (person, report) in self.people.iter().zip(reports) {
                if !report.is_connected {
                    apart.push(format!("{} is out: {}", person.client, report.trouble));
                } else if !report.is_saved {
                    apart.push(format!("{} has unsaved edits", person.client));
                }
                let seen = (report.text, report.marks);
                texts.entry(person.room).or_default().insert(seen);
            }
            for (room, texts) in texts {
                if texts.len() > 1 {
                    apart.push(format!("in room {room} they see {texts:?}"));
                }
            }
            apart
                .is_empty()
                .then_some(())
                .ok_or_else(|| apart.join("\n"))
        })
    }

    /// Waits until everybody is shown whoever is there, and nobody else, which has a time since all was healed.
    fn until_present(&mut self, healed: Instant) -> Result<()> {
        let patience = PRESENCE.saturating_sub(healed.elapsed());
        self.until("presence to be right", patience, |reports| {
            let mut wrong = Vec::new();
            for (person, report) in self.people.iter().zip(reports) {
                let others = self.people.iter();
                let there: BTreeSet<u64> = others
                    .filter(|other| other.room == person.room)
                    .map(|other| other.client)
                    .collect();
                if report.present != there {
                    let shown = &report.present;
                    wrong.push(format!("{} is shown {shown:?} of {there:?}", person.client));
                }
            }
            wrong
                .is_empty()
                .then_some(())
                .ok_or_else(|| wrong.join("\n"))
        })
    }

    fn until(
        &self,
        what: &str,
        patience: Duration,
        look: impl Fn(&[Report]) -> Result<(), String>,
    ) -> Result<()> {
        let start = Instant::now();
        loop {
            let Err(instead) = look(&self.reports()?) else {
                return Ok(());
            };
            if start.elapsed() > patience {
                bail!("waited {patience:?} for {what}\n{instead}");
            }
            pause(STEP);
        }
    }
}

/// `late`: for how long this machine, which all of them share, had no time for somebody who had something to do.
fn expect(
    expects: Expects,
    people: &[Person],
    during: &[Report],
    oldest: Duration,
    late: Duration,
) -> Result<()> {
    let together = match expects {
        Expects::Nothing | Expects::ThenDark => return Ok(()),
        Expects::Together(together) => together,
        Expects::Unsaved => Duration::from_secs(1),
    };
    ensure!(
        oldest <= together + late,
        "an edit was {oldest:?} old when it arrived; {together:?} is the most, and the machine stood still for {late:?}"
    );
    // The others in a room are at all nodes.
    for (person, report) in people.iter().zip(during) {
        let others = people.iter().filter(|other| other.room == person.room);
        let missing: Vec<u64> = others
            .map(|other| other.client)
            .filter(|other| *other != person.client && !report.heard_of.contains(other))
            .collect();
        ensure!(
            missing.is_empty(),
            "{} heard nothing of {missing:?}",
            person.client
        );
    }
    let untold = during
        .iter()
        .filter(|report| expects == Expects::Unsaved && !report.told_unsaved)
        .count();
    ensure!(
        untold == 0,
        "{untold} people were not told that nothing is saved"
    );
    Ok(())
}
