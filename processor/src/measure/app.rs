//! Responses and tasks of an app: each event counts by itself, at its own time. Contract, section 5.

use touchstream_schemas::event::AppEvent;
use touchstream_schemas::panes::metric;

use crate::cells::{AppCell, Counts};
use crate::series::SeriesRef;

/// From this status on a response is an error.
const FIRST_ERROR_STATUS: i32 = 500;

/// The series and numbers of an event; `None` for types that count nothing.
#[must_use]
pub fn counted<'e>(event: &AppEvent<'e>) -> Option<(SeriesRef<'e>, Counts)> {
    let mut cell = AppCell::default();
    match event.event_type {
        "app.response" => {
            cell.durations.count(event.duration_ms?, 1);
            cell.errors = i64::from(event.status.is_some_and(|status| status >= FIRST_ERROR_STATUS));
        }
        "app.task" => {
            cell.tasks = 1;
            cell.successes = i64::from(event.result == Some("success"));
        }
        _ => return None,
    }
    let dimensions = [event.touchpoint, event.channel, event.device];
    Some((SeriesRef::new(event.tenant, metric::APP, event.name?, dimensions), Counts::App(cell)))
}
