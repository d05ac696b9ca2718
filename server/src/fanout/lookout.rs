//! The task that leaves a node's sign in the store, and looks for those of nodes that it does not hear.

use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use super::NodeId;
use super::signs::{Hears, SELDOM, Seen, Signs};

/// Between two looks, and between two signs of a node that hears nobody.
const PAUSE: Duration = Duration::from_millis(1_500);

/// How long a node that goes waits for its sign to be taken away. A store that answers takes a few milliseconds, and one
/// that does not has cost the stop enough.
const GOODBYE: Duration = Duration::from_millis(500);

/// What a fan-out knows of other nodes, and what it is told.
pub(super) trait Hearing: Send + Sync + 'static {
    /// The own node.
    fn node(&self) -> NodeId;

    /// By what it hears others at present.
    fn hears(&self) -> Hears;

    /// Whether it hears this node.
    fn is_heard(&self, node: NodeId) -> bool;

    /// Some node lives and is not heard.
    fn someone_is_unheard(&self);
}

/// The sight of those who are not heard.
#[derive(Default)]
pub(super) struct Lookout {
    going: OnceLock<mpsc::Sender<oneshot::Sender<()>>>,
    remark: Arc<Mutex<Option<&'static str>>>,
}

impl Lookout {
    /// Begins to leave signs, and to look. It ends with what hears. Call it once, within a tokio runtime.
    pub(super) fn start(&self, hearing: Weak<dyn Hearing>, signs: Arc<dyn Signs>) {
        let (go, going) = mpsc::channel(1);
        let _ = self.going.set(go);
        let watch = Watch {
            hearing,
            signs,
            seen: Seen::default(),
            left: None,
            remark: self.remark.clone(),
        };
        tokio::spawn(watch.run(going));
    }

    /// What is the matter between nodes that all say that they are well, in words for the operator.
    pub(super) fn remark(&self) -> Option<String> {
        let remark = self.remark.lock();
        remark
            .unwrap_or_else(PoisonError::into_inner)
            .map(str::to_owned)
    }

    /// Takes the own sign away, and leaves none any more.
    pub(super) async fn end(&self) {
        let Some(going) = self.going.get() else {
            return;
        };
        let (done, gone) = oneshot::channel();
        if going.send(done).await.is_ok() {
            // A sign that is left behind misleads for a moment only.
            let _ = tokio::time::timeout(GOODBYE, gone).await;
        }
    }
}

struct Watch {
    hearing: Weak<dyn Hearing>,
    signs: Arc<dyn Signs>,
    seen: Seen,
    /// The last sign: when it was left, and what it said.
    left: Option<(Instant, Hears)>,
    remark: Arc<Mutex<Option<&'static str>>>,
}

impl Watch {
    async fn run(mut self, mut going: mpsc::Receiver<oneshot::Sender<()>>) {
        let mut pauses = tokio::time::interval(PAUSE);
        pauses.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let gone = tokio::select! {
                gone = going.recv() => Some(gone),
                _ = pauses.tick() => None,
            };
            let Some(hearing) = self.hearing.upgrade() else {
                return;
            };
            if let Some(gone) = gone {
                let taken = self.signs.take(hearing.node()).await;
                if let Err(error) = taken {
                    tracing::debug!(error, "the own sign is left behind in the store");
                }
                if let Some(gone) = gone {
                    let _ = gone.send(());
                }
                return;
            }
            if let Err(error) = self.turn(&*hearing).await {
                tracing::debug!(error, "no signs are left in the store, or seen there");
            }
        }
    }

    async fn turn(&mut self, hearing: &dyn Hearing) -> Result<(), String> {
        let hears = hearing.hears();
        let is_due = hears == Hears::Nobody
            || self
                .left
                .is_none_or(|(at, said)| said != hears || at.elapsed() >= SELDOM);
        if is_due {
            self.signs.leave(hearing.node(), hears).await?;
            self.left = Some((Instant::now(), hears));
        }
        match hears {
            Hears::Redis => self.look(hearing, hears).await,
            // It follows the store as it is: others concern it for the remark alone.
            Hears::Store if is_due => self.look(hearing, hears).await,
            Hears::Store => Ok(()),
            Hears::Nobody => {
                self.tell(None);
                Ok(())
            }
        }
    }

    async fn look(&mut self, hearing: &dyn Hearing, hears: Hears) -> Result<(), String> {
        let all = self.signs.all().await?;
        let is_heard = |node| hearing.is_heard(node);
        let found = self
            .seen
            .note(&all, hearing.node(), Instant::now(), is_heard);
        if found.any_unheard {
            hearing.someone_is_unheard();
        }
        self.tell(found.apart.iter().find_map(|theirs| words(hears, *theirs)));
        for node in found.left_behind {
            self.signs.take(node).await?;
        }
        Ok(())
    }

    fn tell(&self, now: Option<&'static str>) {
        let before = {
            let mut remark = self.remark.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *remark, now)
        };
        if let Some(now) = now.filter(|_| before != now) {
            tracing::warn!("{now}");
        }
    }
}

/// What is wrong between this node and another one that it does not hear.
fn words(own: Hears, other: Hears) -> Option<&'static str> {
    match (own, other) {
        (Hears::Redis, Hears::Redis) => Some(
            "another node on this database is not on this Redis, or on another database number of it, so they see each other's edits late, through the store: give all nodes the same --redis",
        ),
        (Hears::Redis, Hears::Store) => Some(
            "another node on this database has no --redis, so edits of its people are seen late, through the store: give all nodes the same --redis",
        ),
        (Hears::Store, Hears::Redis) => Some(
            "this node has no --redis and another node on this database has one, so they see each other's edits late, through the store: give all nodes the same --redis",
        ),
        _ => None,
    }
}
