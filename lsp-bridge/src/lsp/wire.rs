//! Messages in wire order.
//!
//! [`Gate`] (requests and notifications) and [`Return`] (answers to our own requests) are both
//! called by the one loop that reads the editor's input, one message after the other, and both
//! push into the same channel. Whatever the editor wrote first arrives first.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, Sink, Stream};
use serde_json::Value;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::PollSender;
use tower_lsp::Loopback;
use tower_lsp::jsonrpc::{Error as RpcError, Id, Request, Response, Result as RpcResult};
use tower_service::Service;

use super::Client;

/// A message from the editor.
#[derive(Debug)]
pub(crate) enum Inbound {
    /// It asks; `reply` takes the answer. Dropping `reply` answers with an internal error.
    Request {
        /// Such as `initialize`.
        method: String,
        /// As sent.
        params: Value,
        /// Where the answer goes.
        reply: Reply,
    },
    /// It tells.
    Notification {
        /// Such as `textDocument/didChange`.
        method: String,
        /// As sent.
        params: Value,
    },
    /// It answers a request of ours.
    Answer {
        /// The request's id.
        id: Id,
        /// What it says.
        result: RpcResult<Value>,
    },
}

/// Where the answer to a request goes.
pub(crate) type Reply = oneshot::Sender<RpcResult<Value>>;

/// A request whose sender stands still until it is answered, one a key: it does not wait for the
/// session, whatever that is at, and the session does not hear of it. There is nothing to format;
/// what counts is the report that went before it.
const ANSWERED_AT_ONCE: &str = "textDocument/onTypeFormatting";

/// Messages on their way to the session: more than any editor sends while one is handled. Beyond
/// it the editor's input is not read.
const INBOUND: usize = 256;
/// Messages on their way to the editor. The session drops what is only informative when it is
/// full.
const OUTBOUND: usize = 256;

/// Both ends of the connection between the server loop and the session.
pub(crate) struct Wire {
    /// For the server loop: requests and notifications.
    pub(crate) gate: Gate,
    /// For the server loop: our own requests and the answers to them.
    pub(crate) turn: Turnaround,
    /// For the session.
    pub(crate) inbox: mpsc::Receiver<Inbound>,
    /// For the session.
    pub(crate) client: Client,
}

/// Makes both ends.
pub(crate) fn wire() -> Wire {
    let (inbound, inbox) = mpsc::channel(INBOUND);
    let (client, outbound) = mpsc::channel(OUTBOUND);
    Wire {
        gate: Gate {
            inbound: PollSender::new(inbound.clone()),
        },
        turn: Turnaround {
            outbound: Outbound(outbound),
            answers: Return {
                inbound: PollSender::new(inbound),
            },
        },
        inbox,
        client: Client::new(client),
    }
}

/// The session has ended.
#[derive(Debug, Error)]
#[error("the session has ended")]
pub(crate) struct SessionEnded;

/// Takes requests and notifications in wire order.
pub(crate) struct Gate {
    inbound: PollSender<Inbound>,
}

impl Service<Request> for Gate {
    type Response = Option<Response>;
    type Error = SessionEnded;
    type Future = BoxFuture<'static, Result<Option<Response>, SessionEnded>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), SessionEnded>> {
        self.inbound.poll_reserve(context).map_err(|_| SessionEnded)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let (method, id, params) = request.into_parts();
        let id = match id {
            Some(id) if method == ANSWERED_AT_ONCE => {
                let response = Response::from_ok(id, Value::Null);
                return futures_util::future::ready(Ok(Some(response))).boxed();
            }
            id => id,
        };
        let params = params.unwrap_or_default();
        let (message, answer) = match id {
            // An answer with members that JSON-RPC does not know is decoded as a request without
            // a method.
            Some(id) if method.is_empty() => {
                let result = Err(RpcError::invalid_request());
                (Inbound::Answer { id, result }, None)
            }
            Some(id) => {
                let (reply, answer) = oneshot::channel();
                let method = method.into_owned();
                let request = Inbound::Request {
                    method,
                    params,
                    reply,
                };
                (request, Some((id, answer)))
            }
            None => {
                let method = method.into_owned();
                (Inbound::Notification { method, params }, None)
            }
        };
        if self.inbound.send_item(message).is_err() {
            return futures_util::future::ready(Err(SessionEnded)).boxed();
        }
        async move {
            let Some((id, answer)) = answer else {
                return Ok(None);
            };
            let result = answer
                .await
                .unwrap_or_else(|_| Err(RpcError::internal_error()));
            Ok(Some(Response::from_parts(id, result)))
        }
        .boxed()
    }
}

/// The other direction: our requests out, the editor's answers in.
pub(crate) struct Turnaround {
    outbound: Outbound,
    answers: Return,
}

impl Loopback for Turnaround {
    type RequestStream = Outbound;
    type ResponseSink = Return;

    fn split(self) -> (Outbound, Return) {
        (self.outbound, self.answers)
    }
}

/// Our requests and notifications on their way to the editor.
pub(crate) struct Outbound(mpsc::Receiver<Request>);

impl Stream for Outbound {
    type Item = Request;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Request>> {
        self.0.poll_recv(context)
    }
}

/// Takes the editor's answers in wire order.
pub(crate) struct Return {
    inbound: PollSender<Inbound>,
}

impl Sink<Response> for Return {
    type Error = SessionEnded;

    fn poll_ready(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), SessionEnded>> {
        self.inbound.poll_reserve(context).map_err(|_| SessionEnded)
    }

    fn start_send(mut self: Pin<&mut Self>, response: Response) -> Result<(), SessionEnded> {
        let (id, result) = response.into_parts();
        self.inbound
            .send_item(Inbound::Answer { id, result })
            .map_err(|_| SessionEnded)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), SessionEnded>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), SessionEnded>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tower_lsp::Server;

    fn frame(body: &str) -> String {
        format!("Content-Length: {}\r\n\r\n{body}", body.len())
    }

    /// Writes all messages in one piece and names what arrives, in the order of arrival.
    async fn arrivals(bodies: &[String]) -> Vec<String> {
        let Wire {
            gate,
            turn,
            mut inbox,
            client: _client,
        } = wire();
        let (mut editor, input) = tokio::io::duplex(1 << 20);
        let written: String = bodies.iter().map(|body| frame(body)).collect();
        editor.write_all(written.as_bytes()).await.unwrap();
        drop(editor);
        let serve = Server::new(input, tokio::io::sink(), turn).serve(gate);
        let collect = async {
            let mut names = Vec::new();
            while let Some(message) = inbox.recv().await {
                names.push(name(&message));
            }
            names
        };
        tokio::join!(serve, collect).1
    }

    fn name(message: &Inbound) -> String {
        match message {
            Inbound::Request { method, .. } => method.clone(),
            Inbound::Notification { params, .. } => params["v"].to_string(),
            Inbound::Answer { id, result } => format!("{id} {}", result.is_ok()),
        }
    }

    fn change(version: usize) -> String {
        format!(
            r#"{{"jsonrpc":"2.0","method":"textDocument/didChange","params":{{"v":{version}}}}}"#
        )
    }

    fn answer(id: usize) -> String {
        format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"applied":true}}}}"#)
    }

    #[tokio::test]
    async fn messages_arrive_in_the_order_in_which_they_were_written() {
        let mut bodies = Vec::new();
        let mut expected = Vec::new();
        // More than the channel holds, so that both directions have to wait for it, too.
        for n in 0..2 * INBOUND {
            bodies.extend([change(3 * n), answer(n), change(3 * n + 1)]);
            expected.extend([
                format!("{}", 3 * n),
                format!("{n} true"),
                format!("{}", 3 * n + 1),
            ]);
        }
        assert_eq!(arrivals(&bodies).await, expected);
    }

    fn request(id: usize, method: &str) -> String {
        format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{{}}}}"#)
    }

    /// Here the session reads nothing until the last answer has come, and owes one itself.
    #[tokio::test]
    async fn typing_waits_for_no_session_and_leaves_the_order_as_it_is() {
        let mut wire = wire();
        let (mut editor, bridge) = tokio::io::duplex(1 << 20);
        let (input, output) = tokio::io::split(bridge);
        let serving = tokio::spawn(Server::new(input, output, wire.turn).serve(wire.gate));
        let mut expected = String::new();
        let mut order = Vec::new();
        for n in 0..INBOUND / 3 {
            for body in [
                change(2 * n),
                request(n, ANSWERED_AT_ONCE),
                answer(n),
                change(2 * n + 1),
            ] {
                editor.write_all(frame(&body).as_bytes()).await.unwrap();
            }
            if n == 0 {
                let command = frame(&request(999, "workspace/executeCommand"));
                editor.write_all(command.as_bytes()).await.unwrap();
            }
            expected += &frame(&format!(r#"{{"jsonrpc":"2.0","result":null,"id":{n}}}"#));
            order.extend([(2 * n).to_string(), format!("{n} true")]);
            order.push((2 * n + 1).to_string());
            order.extend((n == 0).then(|| "workspace/executeCommand".to_owned()));
        }
        let mut answers = vec![0; expected.len()];
        let read = editor.read_exact(&mut answers);
        let read = tokio::time::timeout(Duration::from_secs(20), read).await;
        read.expect("answers come").unwrap();
        assert_eq!(String::from_utf8(answers).unwrap(), expected);
        let mut arrived = Vec::new();
        while let Ok(message) = wire.inbox.try_recv() {
            arrived.push(name(&message));
        }
        assert_eq!(arrived, order);
        serving.abort();
    }

    #[tokio::test]
    async fn an_error_with_foreign_members_is_still_an_answer() {
        let body = r#"{"jsonrpc":"2.0","id":7,"error":{"code":-1,"message":"no","why":"so"}}"#;
        assert_eq!(arrivals(&[body.to_owned()]).await, ["7 false"]);
    }
}
