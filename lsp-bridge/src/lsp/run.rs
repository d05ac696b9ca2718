//! `tutti lsp`.

use tokio::io::{AsyncRead, AsyncWrite};
use tower_lsp::Server;

use super::{EndOfInput, Threaded, Watched, Wire, wire};
use crate::session::{FindSetup, Session};

/// How many requests may be waiting for their answers. Nothing waits for long but `tutti.share`
/// and `tutti.join`, and those must not hold up the rest.
const REQUESTS_AT_ONCE: usize = 64;

/// Speaks LSP on standard input and output until the editor has gone.
///
/// # Errors
/// When the editor left without saying `shutdown` first, as the specification wants it. An end
/// of input is no error.
pub async fn run() -> anyhow::Result<()> {
    let input = Threaded::read(std::io::stdin());
    let output = tokio::io::stdout();
    if serve(input, output, FindSetup::of_user()).await {
        Ok(())
    } else {
        anyhow::bail!("the editor left without saying shutdown")
    }
}

/// Serves one editor; whether it left as the specification wants it.
pub(crate) async fn serve(
    input: impl AsyncRead + Unpin,
    output: impl AsyncWrite,
    find: FindSetup,
) -> bool {
    let Wire {
        gate,
        turn,
        inbox,
        client,
    } = wire();
    let ended = EndOfInput::new();
    let session = Session::new(inbox, client, ended.clone(), find);
    let server = Server::new(Watched::new(input, ended.clone()), output, turn);
    let serving = async {
        let server = server.concurrency_level(REQUESTS_AT_ONCE);
        server.serve(gate).await;
        // Whatever made it end, it hears nothing any more.
        ended.cancel();
    };
    let ((), orderly) = tokio::join!(serving, session.run());
    orderly
}
