//! Watchers: one for each selection that at least one page shows. It asks every panel's question at its pace and keeps the newest answers;
//! pages that come later begin with these. The last page that closes ends it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use touchstream_runtime::shutdown::Shutdown;

use crate::database::Database;
use crate::metrics::Metrics;
use crate::panels::PANELS;
use crate::selection::Selection;

/// Between two looks at which questions are due.
const PACE: Duration = Duration::from_millis(500);

/// The newest answer to one question.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    /// Grows with every change; 0 before the first answer.
    pub(crate) version: u64,
    /// A JSON array.
    pub(crate) rows: Arc<str>,
}

/// The newest answers of one selection, in the order of [`PANELS`], and what keeps them from being new.
#[derive(Clone, Debug, Default)]
pub(crate) struct Snapshot {
    pub(crate) answers: [Answer; PANELS.len()],
    pub(crate) trouble: Option<Arc<str>>,
}

/// Too many different selections are shown at the same time.
#[derive(Debug)]
pub(crate) struct TooManySelections;

/// All watchers.
#[derive(Clone)]
pub(crate) struct Live {
    database: Database,
    metrics: Metrics,
    shutdown: Shutdown,
    most: usize,
    watchers: Arc<Mutex<HashMap<Selection, watch::Sender<Snapshot>>>>,
}

impl Live {
    pub(crate) fn new(database: Database, metrics: Metrics, shutdown: Shutdown, most: usize) -> Live {
        Live { database, metrics, shutdown, most, watchers: Arc::default() }
    }

    /// The newest answers of a selection, from now on.
    pub(crate) fn watch(
        &self,
        selection: &Selection,
    ) -> Result<watch::Receiver<Snapshot>, TooManySelections> {
        let mut watchers = self.watchers();
        if let Some(sender) = watchers.get(selection) {
            return Ok(sender.subscribe());
        }
        if watchers.len() >= self.most {
            return Err(TooManySelections);
        }
        let (sender, receiver) = watch::channel(Snapshot::default());
        watchers.insert(selection.clone(), sender);
        tokio::spawn(self.clone().run(selection.clone()));
        Ok(receiver)
    }

    fn watchers(&self) -> MutexGuard<'_, HashMap<Selection, watch::Sender<Snapshot>>> {
        self.watchers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn run(self, selection: Selection) {
        let mut asked: [Option<Instant>; PANELS.len()] = [None; PANELS.len()];
        loop {
            let mut trouble = None;
            for (place, panel) in PANELS.iter().enumerate() {
                // A whole pace early rather than a whole pace late.
                if asked[place].is_some_and(|asked| asked.elapsed() + PACE / 2 < panel.every) {
                    continue;
                }
                asked[place] = Some(Instant::now());
                let timer = self.metrics.question(panel.name);
                let answer = self.database.ask(panel.sql, &selection).await;
                timer.observe_duration();
                match answer {
                    Ok(rows) => self.tell(&selection, |snapshot| {
                        let answer = &mut snapshot.answers[place];
                        let is_news = *answer.rows != *rows || answer.version == 0;
                        if is_news {
                            *answer = Answer { version: answer.version + 1, rows: rows.into() };
                        }
                        is_news
                    }),
                    Err(error) => {
                        self.metrics.failed(panel.name);
                        tracing::warn!(panel = panel.name, %error, "a question has no answer");
                        trouble = Some(Arc::from(panel.name));
                    }
                }
            }
            self.tell(&selection, |snapshot| {
                let is_news = snapshot.trouble != trouble;
                snapshot.trouble = trouble;
                is_news
            });
            if self.ends(&selection) {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(PACE) => {}
                () = self.shutdown.cancelled() => return,
            }
        }
    }

    fn tell(&self, selection: &Selection, change: impl FnOnce(&mut Snapshot) -> bool) {
        if let Some(sender) = self.watchers().get(selection) {
            sender.send_if_modified(change);
        }
    }

    /// Nobody looks any more: forgotten, while nobody can begin to.
    fn ends(&self, selection: &Selection) -> bool {
        let mut watchers = self.watchers();
        let is_watched = watchers.get(selection).is_some_and(|sender| sender.receiver_count() > 0);
        if !is_watched {
            watchers.remove(selection);
        }
        !is_watched
    }
}
