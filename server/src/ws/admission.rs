//! How somebody comes into a room by a socket that may be in others.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tutti_protocol::ids::{ProjectId, RoomName};

use super::{Denied, Endpoints, Grant, Waiting};
use crate::room::{Closing, NewMember, Outbox, RoomHandle};
use crate::rooms::{EnterError, RoomError};

/// A document that does not load is tried again this often before the socket is closed. A
/// provider comes back to a closed socket, but never to a single room.
const LOAD_TRIES: u32 = 5;
const LOAD_PAUSE: Duration = Duration::from_millis(250);

/// A token, and what it was found to allow in a project.
#[derive(Clone)]
pub(super) struct Admission {
    project: ProjectId,
    token: String,
    grant: Grant,
}

impl Admission {
    /// Whether it lets the same one into another room as well.
    pub(super) fn holds_for(&self, project: &ProjectId, token: &str) -> bool {
        let is_over = |end| end <= SystemTime::now();
        self.project == *project
            && self.token == token
            && !self.grant.expires_at.is_some_and(is_over)
    }
}

/// Why somebody is not in.
pub(super) enum Failure {
    /// Told to the client as PermissionDenied; the socket stays.
    Refused(String),
    /// The store does not answer. The client has to come back, which it does for a socket only; who is in other
    /// rooms by this socket stays there, and waits.
    ForNow(Closing),
    /// The client has to come back.
    Socket(Closing),
}

/// Lets somebody into a room; by what is `known` of their token, if that is not to be looked up.
pub(super) async fn join(
    endpoints: &Endpoints,
    name: &str,
    token: &str,
    outbox: Arc<Outbox>,
    known: Option<Admission>,
) -> Result<(RoomHandle, Admission), Failure> {
    let _waiting = Waiting::new();
    let name: RoomName = name
        .parse()
        .map_err(|error: tutti_protocol::ids::IdError| Failure::Refused(error.to_string()))?;
    let admission = match known {
        Some(known) => known,
        None => admit(endpoints, name.project.clone(), token).await?,
    };
    let grant = admission.grant.clone();
    let member = NewMember { outbox, grant };
    let mut pause = LOAD_PAUSE;
    for attempt in 1.. {
        match endpoints.rooms.join(&name, member.clone()).await {
            Ok(room) => return Ok((room, admission)),
            // A provider would come back with the socket, and keep its other rooms from working.
            Err(error @ EnterError::Room(RoomError::Store(_))) if error.is_damage() => {
                return Err(Failure::Refused(error.closing().reason));
            }
            Err(EnterError::Room(RoomError::Store(_))) if attempt < LOAD_TRIES => {
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
            Err(error @ EnterError::Room(RoomError::Store(_))) => {
                return Err(Failure::ForNow(error.closing()));
            }
            Err(error @ EnterError::Room(RoomError::ShuttingDown)) => {
                return Err(Failure::Socket(error.closing()));
            }
            Err(error) => return Err(Failure::Refused(error.to_string())),
        }
    }
    unreachable!("the attempts have an end")
}

async fn admit(
    endpoints: &Endpoints,
    project: ProjectId,
    token: &str,
) -> Result<Admission, Failure> {
    // An empty token is how a provider says that it has none.
    let shown = Some(token).filter(|token| !token.is_empty());
    let grant = endpoints
        .authorize(&project, shown)
        .await
        .map_err(|denied| match denied {
            Denied::Unavailable(_) => {
                Failure::ForNow(Closing::new(denied.close_code(), denied.to_string()))
            }
            _ => Failure::Refused(denied.to_string()),
        })?;
    Ok(Admission {
        project,
        token: token.to_owned(),
        grant,
    })
}
