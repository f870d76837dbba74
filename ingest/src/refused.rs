//! What is told of a refused event beside the flow: never a value of it, only names that the catalogue knows.
//!
//! Its sender was told everything; whoever looks at the console is told which event it was and where the first mistake stood. A name that
//! we do not know may be anything, also somebody's address, so it is left out.

use touchstream_schemas::time::EventTime;

use crate::catalogue::{self, EventType};
use crate::problem::Problem;
use crate::validate::context;

/// Names of the envelope.
const ENVELOPE: [&str; 6] = ["id", "type", "time", "sent_at", "context", "data"];

/// The newest refused event of a count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) at: EventTime,
    /// Source of its write key.
    pub(crate) source: String,
    /// Its type, or nothing when it is none of ours.
    pub(crate) event_type: &'static str,
    /// Where its first problem stands, or nothing when that is no name of ours.
    pub(crate) field: String,
}

impl Refused {
    /// What is told of an event with this claimed type and first problem.
    pub(crate) fn new(at: EventTime, source: &str, claimed_type: Option<&str>, problem: &Problem) -> Refused {
        let known = claimed_type.and_then(catalogue::find).map(|(_, event_type)| event_type);
        let field = problem.field.as_deref().and_then(|field| name_of(known, field)).unwrap_or_default();
        Refused {
            at,
            source: source.to_owned(),
            event_type: known.map_or("", |event_type| event_type.name),
            field,
        }
    }
}

fn name_of(event_type: Option<&EventType>, field: &str) -> Option<String> {
    if let Some(name) = field.strip_prefix("data.") {
        return event_type?.field(name).map(|field| format!("data.{}", field.name));
    }
    if let Some(name) = field.strip_prefix("context.") {
        return context::FIELDS.contains(&name).then(|| field.to_owned());
    }
    ENVELOPE.contains(&field).then(|| field.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Fault;

    #[test]
    fn only_names_of_ours_are_told() {
        let told = |claimed: &str, field: &str| {
            let problem = Problem::new(0, field, Fault::new("wrong_type", "no"));
            let refused = Refused::new(EventTime(1), "web", Some(claimed), &problem);
            (refused.event_type, refused.field)
        };
        assert_eq!(told("feedback.answered", "data.score"), ("feedback.answered", "data.score".to_owned()));
        assert_eq!(told("feedback.answered", "context.channel").1, "context.channel");
        assert_eq!(told("feedback.answered", "time").1, "time");
        for field in ["data.anna@example.com", "context.anna@example.com", "anna@example.com", ""] {
            assert_eq!(told("feedback.answered", field).1, "", "{field}");
        }
        assert_eq!(told("anna@example.com", "data.score"), ("", String::new()));
    }
}
