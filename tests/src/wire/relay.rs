//! Two threads a connection, one for each direction.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::{Spoken, State, bson, resp};

/// One connection through a wire.
struct Link {
    /// Set when an answer is on its way that is to be lost.
    loses: AtomicBool,
}

impl State {
    /// Carries one connection, for which both ends are known to the wire.
    pub(super) fn connect(self: Arc<Self>, near: TcpStream) {
        // Whoever called is told by the end of the connection.
        let _ = self.carry(near);
    }

    fn carry(self: Arc<Self>, near: TcpStream) -> io::Result<()> {
        if self.trouble().is_cut {
            return near.shutdown(Shutdown::Both);
        }
        let far = TcpStream::connect((Ipv4Addr::LOCALHOST, self.to))?;
        {
            // Held until both ends are known: a cut in between would miss them.
            let mut now = self.now();
            if now.trouble.is_cut {
                return near.shutdown(Shutdown::Both);
            }
            for end in [&near, &far] {
                end.set_nodelay(true)?;
                now.ends.push(end.try_clone()?);
            }
        }
        let link = Arc::new(Link {
            loses: AtomicBool::new(false),
        });
        let (near_again, far_again) = (near.try_clone()?, far.try_clone()?);
        let (state, shared) = (Arc::clone(&self), Arc::clone(&link));
        thread::spawn(move || ends(&near, &far, state.up(&near, &far, &shared)));
        ends(
            &near_again,
            &far_again,
            self.down(&far_again, &near_again, &link),
        );
        Ok(())
    }

    /// From the node.
    fn up(&self, mut near: &TcpStream, mut far: &TcpStream, link: &Link) -> io::Result<()> {
        let mut waiting = Vec::new();
        while read(near, &mut waiting)? {
            let trouble = self.trouble();
            thread::sleep(trouble.delay);
            if self.spoken == Spoken::Redis {
                far.write_all(&waiting)?;
                waiting.clear();
            }
            while let Some(message) = bson::message(&waiting) {
                let is_insert = bson::command(message) == Some("insert");
                let is_write = is_insert
                    || matches!(
                        bson::command(message),
                        Some("update" | "delete" | "findAndModify")
                    );
                match trouble.refusal.filter(|_| is_write) {
                    Some(refusal) => {
                        self.swallows();
                        near.write_all(&bson::refusal(message, refusal))?;
                    }
                    None => {
                        if is_insert && trouble.loses_answers {
                            link.loses.store(true, Ordering::SeqCst);
                        }
                        far.write_all(message)?;
                    }
                }
                let length = message.len();
                waiting.drain(..length);
            }
        }
        Ok(())
    }

    /// To the node.
    fn down(&self, far: &TcpStream, mut near: &TcpStream, link: &Link) -> io::Result<()> {
        let mut rng = fastrand::Rng::with_seed(self.seed);
        let mut waiting = Vec::new();
        while read(far, &mut waiting)? {
            let trouble = self.trouble();
            thread::sleep(trouble.delay);
            if link.loses.load(Ordering::SeqCst) {
                self.swallows();
                return Ok(());
            }
            if self.spoken == Spoken::MongoDb {
                near.write_all(&waiting)?;
                waiting.clear();
            }
            while let Some(end) = resp::value_end(&waiting) {
                if resp::is_for_a_room(&waiting[..end]) && rng.u32(..1_000) < trouble.swallowed {
                    self.swallows();
                } else {
                    near.write_all(&waiting[..end])?;
                }
                waiting.drain(..end);
            }
        }
        Ok(())
    }
}

/// Takes what comes next; false at the end.
fn read(mut from: &TcpStream, into: &mut Vec<u8>) -> io::Result<bool> {
    let mut bytes = [0; 16 * 1024];
    let length = from.read(&mut bytes)?;
    into.extend(&bytes[..length]);
    Ok(length > 0)
}

/// When one direction has ended, however it did, the other one does.
fn ends(near: &TcpStream, far: &TcpStream, _: io::Result<()>) {
    // Either may have ended by itself.
    let _ = near.shutdown(Shutdown::Both);
    let _ = far.shutdown(Shutdown::Both);
}
