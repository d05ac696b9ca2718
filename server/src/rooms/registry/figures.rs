//! The figures of all rooms together, for `/metrics`.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Registry;

impl Registry {
    /// Shows the figures of all rooms together.
    pub(in crate::rooms) fn show(&self) {
        let (handles, in_use) = {
            let slots = self.slots();
            let in_use: usize = slots.in_use.values().map(HashSet::len).sum();
            (slots.open_handles(), in_use)
        };
        let resident = self.resident_bytes.load(Ordering::Relaxed);
        let mut members = 0;
        let mut oldest = 0;
        for handle in &handles {
            let stats = handle.stats();
            members += stats.members.load(Ordering::Relaxed);
            let since = stats.unsaved_since_ms.load(Ordering::Relaxed);
            if since > 0 && (oldest == 0 || since < oldest) {
                oldest = since;
            }
        }
        let unsaved_seconds = match oldest {
            0 => 0.0,
            since => self
                .started
                .elapsed()
                .saturating_sub(Duration::from_millis(since - 1))
                .as_secs_f64(),
        };
        metrics::gauge!("tutti_rooms_resident").set(handles.len() as f64);
        metrics::gauge!("tutti_rooms_in_use").set(in_use as f64);
        metrics::gauge!("tutti_resident_bytes").set(resident as f64);
        metrics::gauge!("tutti_members").set(members as f64);
        metrics::gauge!("tutti_sockets").set(self.sockets.count() as f64);
        metrics::gauge!("tutti_unsaved_bytes").set(self.unsaved_bytes() as f64);
        metrics::gauge!("tutti_unsaved_seconds").set(unsaved_seconds);
        metrics::gauge!("tutti_failing_rooms").set(self.failing().len() as f64);
        metrics::gauge!("tutti_damaged_documents").set(self.damaged().len() as f64);
    }
}
