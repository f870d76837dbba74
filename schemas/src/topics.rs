//! Topic names, and how each topic is to be set up.

use crate::event::Family;
use crate::marks;

/// Names all topics under one prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topics {
    prefix: String,
}

/// How long a topic keeps what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cleanup {
    /// Raw events: deleted after the raw retention; timestamps are append times.
    Raw,
    /// Results that are read once: deleted after the derived retention.
    Derived,
    /// The newest record per key is kept for ever.
    Compacted,
}

impl Topics {
    /// Topics under `prefix`, normally `cx`.
    #[must_use]
    pub fn new(prefix: impl Into<String>) -> Topics {
        Topics { prefix: prefix.into() }
    }

    fn named(&self, name: &str) -> String {
        format!("{}.{name}", self.prefix)
    }

    /// Raw events of a family.
    #[must_use]
    pub fn raw(&self, family: Family) -> String {
        self.named(family.name())
    }

    /// The family whose raw topic this is.
    #[must_use]
    pub fn family_of(&self, topic: &str) -> Option<Family> {
        let name = topic.strip_prefix(&self.prefix)?.strip_prefix('.')?;
        Family::ALL.into_iter().find(|family| family.name() == name)
    }

    /// Changelog of the measuring stage for a family; partitioned as its raw topic.
    #[must_use]
    pub fn measure_changelog(&self, family: Family) -> String {
        format!("{}.{}-changelog", self.prefix, family.name())
    }

    /// Deltas from measure to roll up, and watermarks.
    #[must_use]
    pub fn panes(&self) -> String {
        self.named("panes")
    }

    /// Absolute minutes: changelog of the rolling-up stage.
    #[must_use]
    pub fn minutes(&self) -> String {
        self.named("minutes")
    }

    /// Rolling windows.
    #[must_use]
    pub fn windows(&self) -> String {
        self.named("windows")
    }

    /// Changes of state of rules: what to wake somebody for.
    #[must_use]
    pub fn regressions(&self) -> String {
        self.named("regressions")
    }

    /// Facts about checkout attempts.
    #[must_use]
    pub fn checkouts(&self) -> String {
        self.named("checkouts")
    }

    /// Facts about conversation cycles.
    #[must_use]
    pub fn conversations(&self) -> String {
        self.named("conversations")
    }

    /// Contacts by customer, for net containment.
    #[must_use]
    pub fn contacts(&self) -> String {
        self.named("contacts")
    }

    /// Changelog of the stage that knows each customer's contacts; partitioned as the contacts.
    #[must_use]
    pub fn contacts_changelog(&self) -> String {
        self.named("contacts-changelog")
    }

    /// Facts about answers.
    #[must_use]
    pub fn answers(&self) -> String {
        self.named("answers")
    }

    /// What ingest answered, by minute.
    #[must_use]
    pub fn quality(&self) -> String {
        self.named("quality")
    }

    /// What could not be processed.
    #[must_use]
    pub fn rejected(&self) -> String {
        self.named("rejected")
    }

    /// Write keys, by hash.
    #[must_use]
    pub fn keys(&self) -> String {
        self.named("keys")
    }

    /// Replays: which one holds the services back now, and the epoch of the last one that ended.
    #[must_use]
    pub fn replays(&self) -> String {
        self.named("replays")
    }

    /// What is known of times besides what customers did: incidents, changes, outages of ingest.
    #[must_use]
    pub fn marks(&self) -> String {
        self.named("marks")
    }

    /// Every topic with the way it is kept and whether it has the configured number of partitions (else one).
    #[must_use]
    pub fn all(&self) -> Vec<TopicSetup> {
        let setup =
            |name: String, cleanup, partitioned| TopicSetup { name, cleanup, partitioned, kept_days: None };
        let mut topics = Vec::new();
        for family in Family::ALL {
            topics.push(setup(self.raw(family), Cleanup::Raw, true));
            topics.push(setup(self.measure_changelog(family), Cleanup::Compacted, true));
        }
        topics.push(setup(self.panes(), Cleanup::Derived, true));
        topics.push(setup(self.minutes(), Cleanup::Compacted, true));
        topics.push(setup(self.contacts(), Cleanup::Derived, true));
        topics.push(setup(self.contacts_changelog(), Cleanup::Compacted, true));
        let read_once = [
            self.windows(),
            self.regressions(),
            self.checkouts(),
            self.conversations(),
            self.answers(),
            self.quality(),
        ];
        for name in read_once {
            topics.push(setup(name, Cleanup::Derived, true));
        }
        topics.push(setup(self.rejected(), Cleanup::Derived, false));
        topics.push(setup(self.keys(), Cleanup::Compacted, false));
        topics.push(setup(self.replays(), Cleanup::Compacted, false));
        let marks = setup(self.marks(), Cleanup::Compacted, false);
        topics.push(TopicSetup { kept_days: Some(marks::KEPT_DAYS), ..marks });
        topics
    }
}

/// One topic as `setup` creates it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicSetup {
    /// Full name.
    pub name: String,
    /// How long it keeps what.
    pub cleanup: Cleanup,
    /// Whether it has the configured number of partitions; else one.
    pub partitioned: bool,
    /// Of a compacted topic: after how many days a record goes although it is the newest of its key; none: never.
    pub kept_days: Option<u32>,
}
