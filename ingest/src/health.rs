//! Ingest's own health, for the rules that tell regressions: in which minutes it could take events, and since when events wait in its spool.
//!
//! Beside the flow, on a thread with a producer of its own; a few records an hour in the topic of marks. Promise: events that were lost
//! or are late are never taken for customers who left: a minute without any ingest, or with a backlog, is known as such to whoever judges
//! it. What could not be written while Kafka was away is written afterwards.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use touchstream_runtime::compacted::Writer;
use touchstream_runtime::shutdown::Shutdown;
use touchstream_schemas::marks::{AliveMark, BacklogMark, HEALTH_INTERVAL, Mark};
use touchstream_schemas::time::{EventTime, Millis};

use crate::keys::to_hex;

/// Hours that are held until Kafka takes them: two weeks of an outage.
const MOST_HOURS: usize = 24 * 14;
/// Wait between two looks; bounds how late shutdown is seen.
const NAP: Duration = Duration::from_millis(100);

/// What is to be noted, and what was.
#[derive(Debug)]
pub(crate) struct Health {
    run: String,
    /// Minutes by hour, and those that Kafka has.
    hours: BTreeMap<EventTime, (u64, u64)>,
    spool: Option<Backlog>,
}

#[derive(Debug)]
struct Backlog {
    key: String,
    since: Option<EventTime>,
    /// What Kafka has; nothing is known before the first.
    written: Option<Option<EventTime>>,
}

/// A record to be written.
#[derive(Debug, PartialEq, Eq)]
struct Due {
    key: String,
    mark: Mark,
}

impl Health {
    /// Of this run of ingest, and of its spool if it has one.
    pub(crate) fn new(run: String, spool_dir: &str) -> Health {
        let spool = (!spool_dir.is_empty()).then(|| {
            let key = BacklogMark::key(&spool_name(spool_dir));
            Backlog { key, since: None, written: None }
        });
        Health { run, hours: BTreeMap::new(), spool }
    }

    /// Takes in how things are now.
    fn beat(&mut self, now: EventTime, is_ready: bool, waits_since: Option<EventTime>) {
        if is_ready {
            let hour = now.floor_to(Millis::HOUR);
            let minute = (now.minute() - hour).0 / Millis::MINUTE.0;
            self.hours.entry(hour).or_default().0 |= 1 << minute;
        }
        while self.hours.len() > MOST_HOURS {
            self.hours.pop_first();
        }
        if let Some(spool) = &mut self.spool {
            spool.since = waits_since;
        }
    }

    /// What Kafka does not have yet. A backlog is repeated while it lasts: whose ingest dies is not waited for without end.
    fn due(&self, now: EventTime) -> Vec<Due> {
        let backlog = self.spool.iter().filter(|spool| spool.since.is_some() || spool.written != Some(None));
        let backlog = backlog.map(|spool| Due {
            key: spool.key.clone(),
            mark: Mark::Backlog(BacklogMark { since: spool.since, at: now }),
        });
        let hours = self.hours.iter().filter(|(_, (minutes, written))| minutes != written);
        let hours = hours.map(|(hour, (minutes, _))| {
            let mark = AliveMark { hour: *hour, minutes: *minutes };
            Due { key: mark.key(&self.run), mark: Mark::Alive(mark) }
        });
        // The backlog first: minutes in which it grew must not look whole for a moment.
        backlog.chain(hours).collect()
    }

    /// Kafka has this.
    fn written(&mut self, due: &Due) {
        match &due.mark {
            Mark::Alive(mark) => {
                if let Some((_, written)) = self.hours.get_mut(&mark.hour) {
                    *written = mark.minutes;
                }
            }
            Mark::Backlog(mark) => {
                if let Some(spool) = &mut self.spool {
                    spool.written = Some(mark.since);
                }
            }
            _ => {}
        }
    }

    /// Runs until shutdown; `look` says whether ingest can take events, and since when events wait in its spool.
    pub(crate) fn run(
        mut self,
        writer: &Writer,
        shutdown: &Shutdown,
        look: impl Fn() -> (bool, Option<EventTime>),
    ) {
        let interval = Duration::from_millis(HEALTH_INTERVAL.0.unsigned_abs());
        let mut has_failed = false;
        while !shutdown.is_cancelled() {
            let until = Instant::now() + interval;
            let (is_ready, waits_since) = look();
            let now = EventTime::now();
            self.beat(now, is_ready, waits_since);
            for due in self.due(now) {
                match writer.write(&due.key, Some(&due.mark.to_json())) {
                    Ok(()) => {
                        self.written(&due);
                        has_failed = false;
                    }
                    Err(error) => {
                        if !has_failed {
                            tracing::warn!(%error, "the health of ingest cannot be noted, trying again");
                        }
                        has_failed = true;
                        break;
                    }
                }
            }
            while !shutdown.is_cancelled() && Instant::now() < until {
                std::thread::sleep(NAP);
            }
        }
    }
}

/// A name of a spool that outlives its process: the machine's and the folder's.
fn spool_name(spool_dir: &str) -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let folder = std::path::absolute(Path::new(spool_dir)).unwrap_or_else(|_| spool_dir.into());
    let digest: [u8; 32] = Sha256::digest(format!("{}:{}", host.trim(), folder.display())).into();
    to_hex(&digest)[..16].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: EventTime = EventTime(1_767_571_200_000);

    fn minute(minutes: i64) -> EventTime {
        START + Millis::MINUTE.times(minutes)
    }

    fn write_all(health: &mut Health, now: EventTime) -> Vec<Mark> {
        let due = health.due(now);
        due.iter().for_each(|due| health.written(due));
        due.into_iter().map(|due| due.mark).collect()
    }

    #[test]
    fn a_minute_is_noted_once_and_what_kafka_missed_comes_afterwards() {
        let mut health = Health::new("run".to_owned(), "");
        let alive = |hour: i64, minutes| Mark::Alive(AliveMark { hour: minute(60 * hour), minutes });
        health.beat(minute(0), true, None);
        assert_eq!(write_all(&mut health, minute(0)), [alive(0, 1)]);
        health.beat(minute(0) + Millis(30_000), true, None);
        assert_eq!(write_all(&mut health, minute(0)), []);
        health.beat(minute(1), false, None);
        assert_eq!(write_all(&mut health, minute(1)), [], "it could not take events");
        // Kafka is away from here on, and the spool takes events.
        health.beat(minute(59), true, None);
        health.beat(minute(60), true, None);
        assert_eq!(write_all(&mut health, minute(61)), [alive(0, 1 | 1 << 59), alive(1, 1)]);
        for hour in 0..10_000 {
            health.beat(minute(60 * hour), true, None);
        }
        assert_eq!(health.hours.len(), MOST_HOURS);
    }

    #[test]
    fn a_backlog_is_repeated_while_it_lasts_and_its_end_is_told_once() {
        let mut health = Health::new("run".to_owned(), "/spool");
        let told = |health: &mut Health, at: i64, since: Option<i64>| {
            health.beat(minute(at), false, since.map(minute));
            let marks = write_all(health, minute(at));
            marks
                .into_iter()
                .map(|mark| match mark {
                    Mark::Backlog(backlog) => backlog.since.map(|since| (since - START).0 / 60_000),
                    other => panic!("{other:?}"),
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(told(&mut health, 0, None), [None], "what the last run said no longer holds");
        assert_eq!(told(&mut health, 1, None), []);
        assert_eq!(told(&mut health, 2, Some(1)), [Some(1)]);
        assert_eq!(told(&mut health, 3, Some(1)), [Some(1)], "it is alive");
        assert_eq!(told(&mut health, 4, None), [None]);
        assert_eq!(told(&mut health, 5, None), []);
    }
}
