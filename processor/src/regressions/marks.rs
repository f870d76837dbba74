//! What is known of times besides what was counted: incidents that people marked, events that were lost, and what was changed on purpose.

use std::sync::{Arc, Mutex, PoisonError};

use touchstream_schemas::time::{EventTime, Millis};

use super::evidence::Suspect;
use super::history::Span;

/// How long before a regression something must have been changed to be suspected.
const SUSPECTED_BEFORE: Millis = Millis::DAY;
/// Suspects that are listed, the newest.
const MOST_SUSPECTS: usize = 10;
/// Lost events make attempts look abandoned and customers look unanswered for this much longer.
const LOST_LASTS: Millis = Millis::MINUTE.times(30);

/// An outage or holiday that is no baseline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incident {
    /// Tenant; `None` is all of them.
    pub tenant: Option<String>,
    /// Touchpoint; `None` is all of them.
    pub touchpoint: Option<String>,
    /// When.
    pub span: Span,
}

/// Events of a tenant were lost on their way to us, or came too late; `None` is every tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// Tenant.
    pub tenant: Option<String>,
    /// When.
    pub span: Span,
}

/// Something was changed (`app.change`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// Tenant.
    pub tenant: String,
    /// Touchpoint, if it was one alone.
    pub touchpoint: Option<String>,
    /// When.
    pub at: EventTime,
    /// What.
    pub name: String,
}

/// All of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// Incidents.
    pub incidents: Vec<Incident>,
    /// Lost events.
    pub lost: Vec<Lost>,
    /// Changes.
    pub changes: Vec<Changed>,
}

/// Marks as they become known; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct MarksSource(Arc<Mutex<Arc<Marks>>>);

impl MarksSource {
    /// What is known now.
    #[must_use]
    pub fn now(&self) -> Arc<Marks> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From now on this is known.
    pub fn set(&self, marks: Marks) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(marks);
    }
}

impl Lost {
    /// For how long it shows.
    fn shows(&self) -> Span {
        Span { from: self.span.from, to: self.span.to + LOST_LASTS }
    }
}

impl Marks {
    /// When events of a tenant were lost, with the time for which that shows.
    #[must_use]
    pub fn lost_of(&self, tenant: &str) -> Vec<Span> {
        let own = |lost: &&Lost| lost.tenant.as_ref().is_none_or(|of| of == tenant);
        self.lost.iter().filter(own).map(Lost::shows).collect()
    }

    /// The same without what was lost of one tenant alone: for the rule that finds just that.
    #[must_use]
    pub fn lost_of_all(&self) -> Vec<Span> {
        self.lost.iter().filter(|lost| lost.tenant.is_none()).map(Lost::shows).collect()
    }

    /// Incidents at a touchpoint. One of all touchpoints (`all`) counts those of any.
    pub fn incidents_at(&self, tenant: &str, touchpoint: &str) -> impl Iterator<Item = Span> {
        let is_there = move |incident: &&Incident| {
            let at = incident.touchpoint.as_deref();
            incident.tenant.as_ref().is_none_or(|of| of == tenant)
                && at.is_none_or(|at| at == touchpoint || touchpoint == "all")
        };
        self.incidents.iter().filter(is_there).map(|incident| incident.span)
    }

    /// What was changed shortly before a regression began or while it began.
    #[must_use]
    pub fn suspects(&self, tenant: &str, touchpoint: &str, began: Span) -> Vec<Suspect> {
        let near = Span { from: began.from - SUSPECTED_BEFORE, to: began.to };
        let is_near =
            |change: &&Changed| change.tenant == tenant && (near.from..near.to).contains(&change.at);
        // What was changed elsewhere may be the cause, too: the front page leads to the checkout.
        let suspect = |change: &Changed| {
            let name = match change.touchpoint.as_deref() {
                Some(at) if at != touchpoint => format!("{} ({at})", change.name),
                _ => change.name.clone(),
            };
            Suspect { at: change.at, name }
        };
        let mut found: Vec<Suspect> = self.changes.iter().filter(is_near).map(suspect).collect();
        found.sort_by_key(|suspect| suspect.at);
        let first = found.len().saturating_sub(MOST_SUSPECTS);
        found.split_off(first)
    }
}
