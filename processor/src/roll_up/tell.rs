//! What is told of a change of state: as a record, and in the log.

use touchstream_schemas::regressions::{Regression, Suspect};
use touchstream_schemas::time::EventTime;

use crate::regressions::{Change, Severity, State, Subject, Thresholds, WatchState};

/// The end of a regression of which nobody wants to hear any more: its touchpoint or its rule is not watched now.
pub(super) fn unwatched(subject: &Subject, state: &WatchState, at: EventTime) -> Change {
    Change {
        subject: subject.clone(),
        at,
        state: State::Resolved,
        severity: if state.is_page { Severity::Page } else { Severity::Ticket },
        since: Some(state.since),
        evidence: None,
        samples: (0, Thresholds::of(subject.rule).samples),
        contributor: None,
        suspects: Vec::new(),
        owner: String::new(),
        runbook: None,
    }
}

/// Somebody who reads the log alone shall hear of it, too.
pub(super) fn log(change: &Change) {
    let Subject { tenant, rule, touchpoint, channel, detail } = &change.subject;
    let (rule, state) = (rule.name(), change.state.name());
    tracing::info!(%tenant, rule, %touchpoint, %channel, %detail, state, owner = change.owner, "a rule changed its state");
}

pub(super) fn record(change: &Change, revision: i64) -> Regression<'_> {
    let Change { subject, evidence, .. } = change;
    let known = |number: f64| number.is_finite().then_some(number);
    let evidence = evidence.as_ref();
    Regression {
        tenant: &subject.tenant,
        rule: subject.rule.name(),
        touchpoint: &subject.touchpoint,
        channel: &subject.channel,
        detail: &subject.detail,
        at: change.at,
        state: change.state.name(),
        severity: change.severity.name(),
        since: change.since,
        value: evidence.and_then(|found| known(found.value)),
        baseline: evidence.and_then(|found| known(found.baseline)),
        ci_low: evidence.and_then(|found| known(found.interval.0)),
        ci_high: evidence.and_then(|found| known(found.interval.1)),
        probability: evidence.and_then(|found| known(found.probability)),
        samples: change.samples.0,
        samples_needed: change.samples.1,
        baseline_samples: evidence.map_or(0, |found| found.baseline_samples),
        baseline_kind: evidence.map_or("", |found| found.kind.name()),
        window_start: evidence.map(|found| found.window.from),
        window_end: evidence.map(|found| found.window.to),
        contributor: change.contributor.as_deref(),
        suspects: change
            .suspects
            .iter()
            .map(|suspect| Suspect { at: suspect.at, name: &suspect.name })
            .collect(),
        owner: &change.owner,
        runbook: change.runbook.as_deref(),
        revision,
    }
}
