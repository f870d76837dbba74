//! Regressions: when customers have it worse than usual, and somebody should hear of it.
//!
//! A check every five minutes of event time: each watch asks its rule ([`rules`]) about what was counted ([`history`]) against what is
//! usual ([`baseline`]), with [`statistics`] that are told apart from chance over all watches together; what two checks in a row say becomes
//! a change of state ([`confirm`], [`monitor`]). [`thresholds`] are the numbers behind it, [`marks`] the times that are not usual.
//!
//! Promise: whoever is woken is woken for a change that is significant, large enough to matter, on enough samples and seen twice; false
//! alarms are as rare as `docs/results/2026-11-23-regressions.md` says. Everything here is pure: no clock, no network, no chance.

mod baseline;
mod confirm;
mod evidence;
mod history;
mod marks;
mod monitor;
mod rules;
pub mod statistics;
mod thresholds;

pub use baseline::BaselineKind;
pub use confirm::{Phase, Sight, WatchState};
pub use evidence::{Evidence, Judgement, Severity, Suspect};
pub use history::{Handle, History, Part, Span};
pub use marks::{Changed, Incident, Lost, Marks, MarksSource};
pub use monitor::{CHECK_INTERVAL, Change, Monitor, State, Subject, Watch};
pub use thresholds::{Rule, Thresholds};
