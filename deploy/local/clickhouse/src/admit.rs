//! How many queries run at a time: readers and the writer each have their own places, so that neither starves the other.
//!
//! Promise kept: the queue is bounded in length and time; beyond it a query is refused as ClickHouse refuses it.

use crate::authenticate::Role;
use crate::error::Exception;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// The places for queries.
#[derive(Debug)]
pub(crate) struct Admission {
    readers: Arc<Semaphore>,
    writers: Arc<Semaphore>,
    waiting: AtomicUsize,
    places: usize,
    max_waiting: usize,
    max_wait: Duration,
}

struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Admission {
    pub(crate) fn new(places: usize, max_waiting: usize, max_wait: Duration) -> Self {
        let pool = || Arc::new(Semaphore::new(places));
        Self { readers: pool(), writers: pool(), waiting: AtomicUsize::new(0), places, max_waiting, max_wait }
    }

    /// Waits for a place.
    pub(crate) async fn enter(&self, role: Role) -> Result<OwnedSemaphorePermit, Exception> {
        let pool = match role {
            Role::Reader => &self.readers,
            Role::Writer => &self.writers,
        };
        if let Ok(permit) = Arc::clone(pool).try_acquire_owned() {
            return Ok(permit);
        }
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(&self.waiting);
        if before >= self.max_waiting {
            return Err(Exception::too_many_queries(self.places));
        }
        match timeout(self.max_wait, Arc::clone(pool).acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) | Err(_) => Err(Exception::too_many_queries(self.places)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_queue_is_bounded_and_roles_do_not_share_places() {
        let admission = Admission::new(1, 0, Duration::from_secs(1));
        let held = admission.enter(Role::Reader).await.expect("a free place");
        assert_eq!(admission.enter(Role::Reader).await.map(drop).map_err(|error| error.code), Err(202));
        assert!(admission.enter(Role::Writer).await.is_ok());
        drop(held);
        assert!(admission.enter(Role::Reader).await.is_ok());
    }
}
