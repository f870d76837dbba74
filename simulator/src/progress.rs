//! The progress bar: how far the history has come, or how many events went out live. Silent when standard error is no terminal.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::generate::SimulatedEvent;
use crate::options::{Plan, SECOND, SimulateOptions};

/// A progress bar over time, or over events when there is no end in time.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    from: Option<i64>,
}

impl Progress {
    pub(crate) fn new(options: &SimulateOptions, plan: &Plan) -> Progress {
        if !options.progress {
            return Progress { bar: ProgressBar::hidden(), from: None };
        }
        let end = plan.until.filter(|_| options.limit.is_none());
        let (length, template) = match end {
            Some(until) => (seconds(until - plan.from), "{wide_bar} {percent} % {msg}, {eta} left"),
            None => (options.limit, "{spinner} {human_pos} events, {per_sec}"),
        };
        let bar = ProgressBar::with_draw_target(length, ProgressDrawTarget::stderr_with_hz(5));
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Progress { bar, from: end.map(|_| plan.from) }
    }

    pub(crate) fn show(&self, event: &SimulatedEvent, sent: u64) {
        match self.from {
            Some(from) => {
                self.bar.set_position(seconds(event.arrival - from).unwrap_or(0));
                self.bar.set_message(format!("{sent} events"));
            }
            None => self.bar.set_position(sent),
        }
    }

    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

fn seconds(milliseconds: i64) -> Option<u64> {
    u64::try_from(milliseconds / SECOND).ok()
}
