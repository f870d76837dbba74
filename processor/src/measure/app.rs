//! Responses and tasks of an app: each event counts by itself, at its own time. Contract, section 5. Changes (releases, campaigns) count
//! nothing: they become marks, for whoever looks for the cause of a regression.

use touchstream_schemas::event::{AppEvent, UNKNOWN};
use touchstream_schemas::marks::ChangeMark;
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

/// Longest name of a change that is noted, in bytes.
const LONGEST_NAME: usize = 200;

/// What was changed, if the event tells of a change.
#[must_use]
pub fn change(event: &AppEvent<'_>) -> Option<ChangeMark> {
    if event.event_type != "app.change" {
        return None;
    }
    let name = event.name?;
    let end = (0..=LONGEST_NAME.min(name.len())).rev().find(|end| name.is_char_boundary(*end))?;
    Some(ChangeMark {
        tenant: event.tenant.to_owned(),
        touchpoint: (event.touchpoint != UNKNOWN).then(|| event.touchpoint.to_owned()),
        at: event.time,
        name: name[..end].to_owned(),
    })
}
