//! The way between one person and the server, which a test can cut: a relay of TCP connections.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use anyhow::Result;

/// A relay to one address; dropped, it is cut for good.
pub struct Cable {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    sent: Arc<AtomicU64>,
}

struct State {
    server: SocketAddr,
    cut: bool,
    /// Both ends of everything that is connected, or was.
    ends: Vec<TcpStream>,
}

impl Cable {
    /// Leads to `server` from a free port of this machine.
    ///
    /// # Errors
    /// When there is none.
    pub fn to(server: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let state = Arc::new(Mutex::new(State {
            server,
            cut: false,
            ends: Vec::new(),
        }));
        let sent = Arc::new(AtomicU64::new(0));
        let (shared, counted) = (Arc::clone(&state), Arc::clone(&sent));
        thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                // Whoever called is told by the end of the connection.
                let _ = connect(near, &shared, &counted);
            }
        });
        Ok(Self {
            address,
            state,
            sent,
        })
    }

    /// `http://ADDRESS` of this side.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many bytes have gone to the server.
    #[must_use]
    pub fn sent_bytes(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Ends every connection, and lets none through until it is mended.
    pub fn cut(&self) {
        let mut state = self.state.lock().expect("no relay panics");
        state.cut = true;
        for end in state.ends.drain(..) {
            // It may have ended by itself.
            let _ = end.shutdown(Shutdown::Both);
        }
    }

    /// Leads to another server from now on; what is connected stays so.
    pub fn lead_to(&self, server: SocketAddr) {
        self.state.lock().expect("no relay panics").server = server;
    }

    /// Lets connections through again.
    pub fn mend(&self) {
        self.state.lock().expect("no relay panics").cut = false;
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        self.cut();
    }
}

fn connect(near: TcpStream, state: &Mutex<State>, sent: &Arc<AtomicU64>) -> io::Result<()> {
    // Held until both ends are known: a cut in between would miss them.
    let mut state = state.lock().expect("no relay panics");
    if state.cut {
        return near.shutdown(Shutdown::Both);
    }
    let far = TcpStream::connect(state.server)?;
    for end in [&near, &far] {
        // A key is a message of its own, and does not wait for the next.
        end.set_nodelay(true)?;
        state.ends.push(end.try_clone()?);
    }
    let (near_again, far_again) = (near.try_clone()?, far.try_clone()?);
    let sent = Arc::clone(sent);
    thread::spawn(move || relay(near, far, &sent));
    thread::spawn(move || relay(far_again, near_again, &AtomicU64::new(0)));
    Ok(())
}

/// Passes on what comes, and counts it, until either side ends.
fn relay(mut from: TcpStream, mut to: TcpStream, passed: &AtomicU64) {
    let mut bytes = [0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut bytes) {
        if to.write_all(&bytes[..length]).is_err() {
            break;
        }
        passed.fetch_add(length as u64, Ordering::Relaxed);
    }
    // The other side may have ended as well.
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_carries_until_it_is_cut_and_again_when_it_is_mended() -> Result<()> {
        let server = TcpListener::bind("127.0.0.1:0")?;
        let cable = Cable::to(server.local_addr()?)?;
        let meet = || -> Result<(TcpStream, TcpStream)> {
            let mut caller = TcpStream::connect(cable.address)?;
            let (mut called, _) = server.accept()?;
            let mut heard = [0; 2];
            caller.write_all(b"hi")?;
            called.read_exact(&mut heard)?;
            called.write_all(&heard)?;
            caller.read_exact(&mut heard)?;
            assert_eq!(&heard, b"hi");
            Ok((caller, called))
        };
        let (mut caller, mut called) = meet()?;
        cable.cut();
        assert_eq!(caller.read(&mut [0])?, 0);
        assert_eq!(called.read(&mut [0])?, 0);
        assert_eq!(TcpStream::connect(cable.address)?.read(&mut [0])?, 0);
        cable.mend();
        meet().map(drop)
    }
}
