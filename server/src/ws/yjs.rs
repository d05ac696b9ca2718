//! `GET /ws/{project}/{doc}`: the y-websocket protocol, one room a socket.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, header};
use axum::response::Response;
use bytes::Bytes;
use futures_util::StreamExt;
use tutti_protocol::close;
use tutti_protocol::codec;
use tutti_protocol::ids::RoomName;
use tutti_protocol::sync::SyncMessage;
use tutti_protocol::yws::Message;

use super::address::ClientAddress;
use super::frames::Allowance;
use super::socket::{Reader, Shared, Writer};
use super::upgrade::{Upgrade, WebSocket};
use super::{Endpoints, Waiting};
use crate::room::{
    ClientMessage, Closing, Command, Framing, MemberId, NewMember, Outbox, RoomHandle,
};
use crate::update::read_state_vector;

/// Takes a socket in.
pub(super) async fn upgrade(
    State(endpoints): State<Endpoints>,
    Path((project, document)): Path<(String, String)>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
    address: ClientAddress,
    upgrade: Upgrade,
) -> Response {
    let token = query.get("token").cloned().or_else(|| bearer(&headers));
    let name = format!("{project}/{document}");
    let allowance = endpoints.allowance();
    upgrade.answer(allowance.clone(), move |socket| {
        serve(endpoints, socket, allowance, name, token, address)
    })
}

fn bearer(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    value.strip_prefix("Bearer ").map(str::to_owned)
}

async fn serve(
    endpoints: Endpoints,
    socket: WebSocket,
    allowance: Arc<Allowance>,
    name: String,
    token: Option<String>,
    address: ClientAddress,
) {
    let limits = endpoints.rooms.limits().clone();
    let (sink, stream) = socket.split();
    let shared = Shared::new();
    let _open = endpoints.rooms.register(shared.queue.clone());
    let mut reader = Reader::new(stream, shared.clone(), &limits);
    let outbox = Outbox::new(
        MemberId::next(),
        Framing::Yws,
        limits.outbox_bytes,
        shared.queue.clone(),
    );
    let writer = tokio::spawn(Writer::new(sink, shared.clone(), limits).run());

    let counted = endpoints.addresses.count(&address);
    let joined = match &counted {
        Ok(_) => join(&endpoints, &name, token.as_deref(), &outbox).await,
        Err(most) => Err(Closing::new(
            close::TRY_LATER,
            format!("your address has {most} connections open, which is the most it may have"),
        )),
    };
    match joined {
        Ok(room) => {
            allowance.is_in();
            if let Err(closing) = hear(&mut reader, &room, outbox.member()).await {
                shared.queue.close(closing);
            }
            // A room that has gone has no members.
            let _ = room.send(Command::Leave(outbox.member())).await;
        }
        // The writer says what it takes to say.
        Err(closing) => {
            outbox.close(closing);
            shared.queue.closed().await;
        }
    }
    // A writer that panicked has nothing to tell.
    let _ = writer.await;
    reader.drain().await;
}

async fn join(
    endpoints: &Endpoints,
    name: &str,
    token: Option<&str>,
    outbox: &Arc<Outbox>,
) -> Result<RoomHandle, Closing> {
    let _waiting = Waiting::new();
    let name: RoomName = name
        .parse()
        .map_err(|error: tutti_protocol::ids::IdError| {
            Closing::new(close::NOT_FOUND, error.to_string())
        })?;
    let grant = endpoints
        .authorize(&name.project, token)
        .await
        .map_err(|denied| Closing::new(denied.close_code(), denied.to_string()))?;
    let member = NewMember {
        outbox: outbox.clone(),
        grant,
    };
    endpoints
        .rooms
        .join(&name, member)
        .await
        .map_err(|error| error.closing())
}

/// Passes on what the client says, until it ends or has to be ended.
async fn hear(reader: &mut Reader, room: &RoomHandle, member: MemberId) -> Result<(), Closing> {
    while let Some(frame) = reader.next().await {
        let mut messages = codec::Reader::new(&frame);
        while !messages.is_empty() {
            let message = Message::read(&mut messages)
                .map_err(|error| Closing::new(close::BAD_FRAME, error.to_string()))?;
            let Some(message) = for_room(message, &frame)? else {
                continue;
            };
            room.send(Command::Hear(member, message))
                .await
                .map_err(|_| Closing::new(close::TRY_LATER, "the room has closed"))?;
        }
    }
    Ok(())
}

fn for_room(message: Message<'_>, frame: &Bytes) -> Result<Option<ClientMessage>, Closing> {
    Ok(Some(match message {
        Message::Sync(step) => sync_for_room(step, frame, false)?,
        Message::Awareness(update) => ClientMessage::Awareness(frame.slice_ref(update)),
        Message::QueryAwareness => ClientMessage::QueryAwareness,
        // The server's word; from a client it says nothing.
        Message::PermissionDenied(_) => return Ok(None),
    }))
}

/// A sync step as the room takes it; its bytes stay in the frame they came in.
pub(super) fn sync_for_room(
    step: SyncMessage<'_>,
    frame: &Bytes,
    and_ask: bool,
) -> Result<ClientMessage, Closing> {
    Ok(match step {
        SyncMessage::Step1(vector) => ClientMessage::Step1 {
            known: read_state_vector(vector).map_err(|error| {
                Closing::new(
                    close::BAD_FRAME,
                    format!("the state vector is not valid: {error}"),
                )
            })?,
            and_ask,
        },
        SyncMessage::Step2(update) => ClientMessage::Step2(frame.slice_ref(update)),
        SyncMessage::Update(update) => ClientMessage::Update(frame.slice_ref(update)),
    })
}
