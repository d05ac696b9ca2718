//! The task that leaves a sign in the store while Redis is away, and looks for others' signs while it is not.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use super::shared::Shared;
use crate::fanout::signs::{Seen, Signs};

/// Between two signs, and between two looks.
const PAUSE: Duration = Duration::from_millis(1_500);

/// Runs until the fan-out has ended.
pub(super) async fn run(shared: Weak<Shared>, signs: Arc<dyn Signs>) {
    let mut pauses = tokio::time::interval(PAUSE);
    pauses.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut seen = Seen::default();
    let mut has_left_one = false;
    loop {
        pauses.tick().await;
        let Some(shared) = shared.upgrade() else {
            return;
        };
        let done = match shared.trouble() {
            Some(_) => {
                // The outcome of a try that failed is not known.
                has_left_one = true;
                signs.leave(shared.node).await
            }
            None => look(&shared, &*signs, &mut seen, &mut has_left_one).await,
        };
        if let Err(error) = done {
            tracing::debug!(error, "no signs are left in the store, or seen there");
        }
    }
}

async fn look(
    shared: &Shared,
    signs: &dyn Signs,
    seen: &mut Seen,
    has_left_one: &mut bool,
) -> Result<(), String> {
    if *has_left_one {
        signs.take(shared.node).await?;
        *has_left_one = false;
    }
    let all = signs.all().await?;
    let found = seen.note(&all, shared.node, Instant::now());
    if found.any_alive {
        shared.someone_is_cut_off();
    }
    for node in found.left_behind {
        signs.take(node).await?;
    }
    Ok(())
}
