//! Responses and tasks of apps, by docs/metric-definitions.md, "Responses and tasks": each event by itself.

use super::event::{Dimensions, Event};

#[derive(Clone, Debug)]
pub(crate) struct AppEvent {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) dimensions: Dimensions,
    pub(crate) time: i64,
    pub(crate) what: What,
}

#[derive(Clone, Debug)]
pub(crate) enum What {
    Response { took: i64, is_error: bool },
    Task { is_success: bool },
}

pub(super) fn app_events(human: &[&Event]) -> Vec<AppEvent> {
    let mut found = Vec::new();
    for event in human {
        let what = match event.kind.as_str() {
            "app.response" => What::Response {
                took: event.integer("duration_ms").expect("a response has a duration"),
                is_error: event.integer("status").is_some_and(|status| status >= 500),
            },
            "app.task" => What::Task { is_success: event.text("result") == Some("success") },
            _ => continue,
        };
        found.push(AppEvent {
            id: event.id.clone(),
            name: event.text("name").expect("it has a name").to_owned(),
            dimensions: event.dimensions(),
            time: event.time,
            what,
        });
    }
    found
}
