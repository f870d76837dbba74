//! Marks: what is known of times besides what customers did, for the rules that tell regressions. One small compacted topic holds them.
//!
//! People note incidents (`touchstream incident`); measure notes changes (`app.change`); ingest notes the minutes in which it could take
//! events, and since when events wait in its spool; roll up notes when nothing came of a tenant at all. JSON, so that a person can read
//! the topic. Promise: every mark is an upsert under its key, so a repeated or restarted writer changes nothing.

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::keys;
use crate::time::{EventTime, Millis};

/// How long marks are kept: holidays may be noted a year before.
pub const KEPT_DAYS: u32 = 400;
/// How often ingest looks whether it has something to note.
pub const HEALTH_INTERVAL: Millis = Millis(5_000);
/// Changes of a tenant that are held; a newer one takes the place of an older one by chance, however many there are.
const CHANGE_SLOTS: u64 = 4_096;
/// Digits of an incident's id.
const ID_DIGITS: usize = 8;

/// A stretch of time, without its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct MarkedSpan {
    /// First moment.
    pub from: EventTime,
    /// First moment after it.
    pub to: EventTime,
}

/// An outage or holiday that is no baseline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentMark {
    /// Tenant; none is every tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// Touchpoint; none is every touchpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub touchpoint: Option<String>,
    /// First moment.
    pub from: EventTime,
    /// First moment after it.
    pub to: EventTime,
    /// What people are to read about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Something was changed on purpose (`app.change`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeMark {
    /// Tenant.
    pub tenant: String,
    /// Touchpoint, if it was one alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub touchpoint: Option<String>,
    /// When.
    pub at: EventTime,
    /// What.
    pub name: String,
}

/// In which minutes of an hour an instance of ingest could take events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AliveMark {
    /// Start of the hour.
    pub hour: EventTime,
    /// Bit `n` stands for minute `n`.
    pub minutes: u64,
}

/// Since when events wait in a spool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BacklogMark {
    /// When the oldest of them came; none when nothing waits.
    pub since: Option<EventTime>,
    /// When this was noted.
    pub at: EventTime,
}

/// Times in which nothing came of a tenant although something was to be expected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SilenceMark {
    /// Tenant.
    pub tenant: String,
    /// Since when nothing comes, while that lasts.
    pub since: Option<EventTime>,
    /// Earlier times.
    pub earlier: Vec<MarkedSpan>,
}

/// One mark.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[expect(missing_docs, reason = "each variant's content is documented")]
pub enum Mark {
    Incident(IncidentMark),
    Change(ChangeMark),
    Alive(AliveMark),
    Backlog(BacklogMark),
    Silence(SilenceMark),
}

impl Mark {
    /// As it stands in the topic.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("texts and numbers are always JSON")
    }

    /// As it stood in the topic.
    ///
    /// # Errors
    /// When a later release wrote it, or somebody else.
    pub fn of_json(json: &[u8]) -> Result<Mark, serde_json::Error> {
        serde_json::from_slice(json)
    }
}

impl IncidentMark {
    /// The same incident has the same id, however often it is noted.
    #[must_use]
    pub fn id(&self) -> String {
        let part = |text: &Option<String>| text.clone().unwrap_or_else(|| "*".to_owned());
        let (from, to) = (self.from.0.to_string(), self.to.0.to_string());
        let whole = keys::join(&[&part(&self.tenant), &part(&self.touchpoint), &from, &to]);
        let digits = format!("{:016x}", xxh3_64(whole.as_bytes()));
        digits[..ID_DIGITS].to_owned()
    }

    /// Key of an incident by its id.
    #[must_use]
    pub fn key(id: &str) -> String {
        format!("incident/{id}")
    }

    /// The id in a key, if it is the key of an incident.
    #[must_use]
    pub fn id_of_key(key: &str) -> Option<&str> {
        key.strip_prefix("incident/")
    }
}

impl ChangeMark {
    /// Key: of what was told several times in a minute (by every server of a release, say) one is left, and of a tenant a bounded number.
    #[must_use]
    pub fn key(&self) -> String {
        let (touchpoint, minute) =
            (self.touchpoint.as_deref().unwrap_or("*"), self.at.minute().0.to_string());
        let whole = keys::join(&[touchpoint, &self.name, &minute]);
        format!("change/{}/{}", self.tenant, xxh3_64(whole.as_bytes()) % CHANGE_SLOTS)
    }
}

impl AliveMark {
    /// Key of an hour of one run of an instance.
    #[must_use]
    pub fn key(&self, run: &str) -> String {
        format!("alive/{run}/{}", self.hour.0 / Millis::HOUR.0)
    }
}

impl BacklogMark {
    /// Key of a spool, which outlives the process.
    #[must_use]
    pub fn key(spool: &str) -> String {
        format!("backlog/{spool}")
    }
}

impl SilenceMark {
    /// Key of a tenant.
    #[must_use]
    pub fn key(tenant: &str) -> String {
        format!("silence/{tenant}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_read_as_they_were_written_and_an_incident_keeps_its_id() {
        let incident = IncidentMark {
            tenant: Some("shop".to_owned()),
            touchpoint: None,
            from: EventTime(0),
            to: EventTime(60_000),
            note: Some("the bank was away".to_owned()),
        };
        let mark = Mark::Incident(incident.clone());
        let json = String::from_utf8(mark.to_json()).expect("JSON is text");
        assert_eq!(
            json,
            r#"{"kind":"incident","tenant":"shop","from":0,"to":60000,"note":"the bank was away"}"#
        );
        assert_eq!(Mark::of_json(json.as_bytes()).expect("it was written here"), mark);
        assert!(Mark::of_json(br#"{"kind":"of a later release"}"#).is_err());
        let without_note = IncidentMark { note: None, ..incident.clone() };
        assert_eq!(without_note.id(), incident.id(), "a note is no part of what it is");
        assert_ne!(
            IncidentMark { touchpoint: Some("cart".to_owned()), ..incident.clone() }.id(),
            incident.id()
        );
        assert_eq!(IncidentMark::id_of_key(&IncidentMark::key(&incident.id())), Some(&*incident.id()));
    }

    #[test]
    fn what_every_server_of_a_release_tells_is_one_change() {
        let change = |name: &str, at| ChangeMark {
            tenant: "shop".to_owned(),
            touchpoint: None,
            at: EventTime(at),
            name: name.to_owned(),
        };
        assert_eq!(change("release 5.2", 1_000).key(), change("release 5.2", 2_000).key());
        assert_ne!(change("release 5.2", 1_000).key(), change("release 5.3", 1_000).key());
    }
}
