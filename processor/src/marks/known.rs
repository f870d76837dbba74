//! What follows from marks: incidents and changes as they stand, and from ingest's own health when events were lost or are late. Pure.

use std::collections::BTreeMap;

use touchstream_schemas::marks::{AliveMark, IncidentMark, Mark, MarkedSpan};
use touchstream_schemas::time::{EventTime, Millis};

use crate::regressions::{Changed, Incident, Lost, Marks, Span};

/// Nothing before this matters to any rule: eight weeks of baselines and what is rounded.
const REMEMBERED: Millis = Millis::DAY.times(64);
/// Ingest may miss one beat; from two minutes on it was away.
const AWAY: Millis = Millis::MINUTE.times(2);
/// A spool that was not heard of for so long has lost its ingest: what comes from now on is complete without it.
const GIVEN_UP: Millis = Millis::MINUTE.times(10);

/// Every mark by its key.
#[derive(Clone, Debug, Default)]
pub struct Known {
    marks: BTreeMap<String, Mark>,
}

impl Known {
    /// Takes in a record of the topic; without value its key is taken back.
    pub fn take(&mut self, key: &[u8], value: Option<&[u8]>) {
        let key = String::from_utf8_lossy(key).into_owned();
        match value.map(Mark::of_json) {
            None => drop(self.marks.remove(&key)),
            Some(Ok(mark)) => drop(self.marks.insert(key, mark)),
            // Of a later release, for its rules alone.
            Some(Err(error)) => tracing::warn!(key, %error, "a mark that cannot be read is ignored"),
        }
    }

    /// What follows from them at this moment.
    #[must_use]
    pub fn marks(&self, now: EventTime) -> Marks {
        let mut marks = Marks::default();
        let mut alive: BTreeMap<EventTime, u64> = BTreeMap::new();
        let oldest = now - REMEMBERED;
        let mut lose = |tenant: Option<&String>, from: EventTime, to: EventTime| {
            if from < to && to > oldest {
                marks.lost.push(Lost { tenant: tenant.cloned(), span: Span { from, to } });
            }
        };
        for mark in self.marks.values() {
            match mark {
                Mark::Incident(IncidentMark { tenant, touchpoint, from, to, .. }) => {
                    if *to > oldest {
                        let (tenant, touchpoint) = (tenant.clone(), touchpoint.clone());
                        let span = Span { from: *from, to: *to };
                        marks.incidents.push(Incident { tenant, touchpoint, span });
                    }
                }
                Mark::Change(change) => {
                    if change.at > oldest {
                        marks.changes.push(Changed {
                            tenant: change.tenant.clone(),
                            touchpoint: change.touchpoint.clone(),
                            at: change.at,
                            name: change.name.clone(),
                        });
                    }
                }
                Mark::Alive(AliveMark { hour, minutes }) => {
                    if *hour > oldest {
                        *alive.entry(*hour).or_default() |= minutes;
                    }
                }
                Mark::Backlog(backlog) => {
                    if let Some(since) = backlog.since {
                        let is_heard_of = now - backlog.at < GIVEN_UP;
                        lose(None, since, if is_heard_of { now } else { backlog.at });
                    }
                }
                Mark::Silence(silence) => {
                    for MarkedSpan { from, to } in &silence.earlier {
                        lose(Some(&silence.tenant), *from, *to);
                    }
                    if let Some(since) = silence.since {
                        lose(Some(&silence.tenant), since, now);
                    }
                }
            }
        }
        for Span { from, to } in absences(&alive, now) {
            lose(None, from, to);
        }
        marks
    }
}

/// When no ingest could take events: between the minutes in which one could, and since the last of them. Before the first nothing is known.
fn absences(alive: &BTreeMap<EventTime, u64>, now: EventTime) -> Vec<Span> {
    let mut absences = Vec::new();
    let mut last: Option<EventTime> = None;
    let mut look = |from: Option<EventTime>, to: EventTime| {
        if let Some(from) = from
            && to - from >= AWAY
        {
            absences.push(Span { from, to });
        }
    };
    for (hour, minutes) in alive {
        for minute in (0..60).filter(|minute| minutes >> minute & 1 == 1) {
            let start = *hour + Millis::MINUTE.times(minute);
            look(last, start);
            last = Some(start + Millis::MINUTE);
        }
    }
    // Its beat is on its way for some seconds.
    look(last.filter(|last| now - *last >= AWAY), now);
    absences
}

#[cfg(test)]
mod tests {
    use touchstream_schemas::marks::{BacklogMark, ChangeMark, SilenceMark};

    use super::*;

    const START: EventTime = EventTime(1_767_571_200_000);

    fn minute(minutes: i64) -> EventTime {
        START + Millis::MINUTE.times(minutes)
    }

    fn lost(known: &Known, now: i64) -> Vec<(i64, i64)> {
        let minutes = |at: EventTime| (at - START).0 / Millis::MINUTE.0;
        let spans = known.marks(minute(now)).lost.into_iter().map(|lost| lost.span);
        spans.map(|span| (minutes(span.from), minutes(span.to))).collect()
    }

    /// A run of ingest that could take events in these minutes.
    fn alive(known: &mut Known, run: &str, minutes: impl Iterator<Item = i64>) {
        let mut hours: BTreeMap<i64, u64> = BTreeMap::new();
        for minute in minutes {
            *hours.entry(minute.div_euclid(60)).or_default() |= 1 << minute.rem_euclid(60);
        }
        for (hour, minutes) in hours {
            let mark = AliveMark { hour: START + Millis::HOUR.times(hour), minutes };
            known.take(mark.key(run).as_bytes(), Some(&Mark::Alive(mark).to_json()));
        }
    }

    #[test]
    fn ingest_was_away_where_no_instance_could_take_events() {
        let mut known = Known::default();
        assert_eq!(lost(&known, 500), [], "nothing is known of an ingest");
        alive(&mut known, "a", 50..70);
        assert_eq!(lost(&known, 71), [], "its beat is on its way");
        assert_eq!(lost(&known, 75), [(70, 75)], "it is away now");
        alive(&mut known, "b", (71..75).chain(90..100));
        assert_eq!(lost(&known, 101), [(75, 90)], "one beat may be missed, fifteen not");
        alive(&mut known, "c", 76..90);
        assert_eq!(lost(&known, 101), [], "one of several is enough");
        assert_eq!(lost(&known, 60 * 24 * 60), [(100, 60 * 24 * 60)]);
    }

    #[test]
    fn what_waits_in_a_spool_is_missing_until_it_was_sent() {
        let mut known = Known::default();
        let tell = |known: &mut Known, since: Option<i64>, at: i64| {
            let mark = Mark::Backlog(BacklogMark { since: since.map(minute), at: minute(at) });
            known.take(BacklogMark::key("here").as_bytes(), Some(&mark.to_json()));
        };
        tell(&mut known, Some(10), 15);
        assert_eq!(lost(&known, 16), [(10, 16)]);
        assert_eq!(lost(&known, 40), [(10, 15)], "nobody is there any more who could send it");
        tell(&mut known, None, 41);
        assert_eq!(lost(&known, 42), [], "nothing is missing any more");
    }

    #[test]
    fn what_people_note_can_be_taken_back_and_what_nobody_can_read_is_ignored() {
        let mut known = Known::default();
        let incident = IncidentMark {
            tenant: None,
            touchpoint: Some("cart".to_owned()),
            from: START,
            to: minute(5),
            note: None,
        };
        let key = IncidentMark::key(&incident.id());
        known.take(key.as_bytes(), Some(&Mark::Incident(incident).to_json()));
        let change =
            ChangeMark { tenant: "shop".to_owned(), touchpoint: None, at: START, name: "release".to_owned() };
        known.take(change.key().as_bytes(), Some(&Mark::Change(change).to_json()));
        let silence = SilenceMark {
            tenant: "shop".to_owned(),
            since: Some(minute(20)),
            earlier: vec![MarkedSpan { from: minute(3), to: minute(9) }],
        };
        known.take(b"silence/shop", Some(&Mark::Silence(silence).to_json()));
        known.take(b"incident/odd", Some(b"{"));
        let marks = known.marks(minute(30));
        assert_eq!((marks.incidents.len(), marks.changes.len()), (1, 1));
        assert_eq!(lost(&known, 30), [(3, 9), (20, 30)]);
        assert!(marks.lost.iter().all(|lost| lost.tenant.as_deref() == Some("shop")));
        known.take(key.as_bytes(), None);
        assert_eq!(known.marks(minute(30)).incidents, []);
        let much_later = known.marks(minute(60 * 24 * 100));
        assert_eq!(
            (much_later.changes.len(), much_later.lost.len()),
            (0, 1),
            "baselines do not reach so far back"
        );
    }
}
