//! Every operation on the database passes here: it is counted, timed, and ends.

use std::future::IntoFuture;
use std::time::{Duration, Instant};

use super::Failure;
use super::failure::is_there_already;

/// How long one operation may take. The server is told to give up on a majority sooner, so this
/// is met only by a server that accepts and then says nothing.
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs one operation; `name` is its label in the metrics.
pub(crate) async fn measured<T>(
    name: &'static str,
    operation: impl IntoFuture<Output = mongodb::error::Result<T>>,
) -> Result<T, Failure> {
    raw(name, operation).await?.map_err(Failure::from)
}

/// The same, where the driver's own error matters.
pub(crate) async fn raw<T>(
    name: &'static str,
    operation: impl IntoFuture<Output = mongodb::error::Result<T>>,
) -> Result<mongodb::error::Result<T>, Failure> {
    let started = Instant::now();
    let ended = tokio::time::timeout(PATIENCE, operation.into_future()).await;
    metrics::histogram!("tutti_mongodb_operation_seconds", "operation" => name)
        .record(started.elapsed());
    metrics::counter!("tutti_mongodb_operations_total", "operation" => name).increment(1);
    let is_failure = match &ended {
        Ok(Ok(_)) => false,
        // Two nodes that do the same at once, or a second try: whoever comes later finds it done.
        Ok(Err(error)) => !is_there_already(error),
        Err(_) => true,
    };
    if is_failure {
        metrics::counter!("tutti_mongodb_failures_total", "operation" => name).increment(1);
    }
    ended.map_err(|_| {
        let seconds = PATIENCE.as_secs();
        Failure::Unavailable(format!("it has not answered for {seconds} seconds"))
    })
}
