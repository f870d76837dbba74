//! What a rule says of one series at one check.

use touchstream_schemas::time::EventTime;

use super::baseline::BaselineKind;
use super::history::Span;

/// How urgent a regression is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Severity {
    /// Somebody looks at it in the next days.
    #[default]
    Ticket,
    /// Somebody is woken.
    Page,
}

impl Severity {
    /// As in records and labels.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Severity::Ticket => "ticket",
            Severity::Page => "page",
        }
    }
}

/// What was found, in the unit of the rule: shares, seconds, points or events.
#[derive(Clone, Copy, Debug)]
pub struct Evidence {
    /// Now.
    pub value: f64,
    /// Usually.
    pub baseline: f64,
    /// 95 % interval of `value`.
    pub interval: (f64, f64),
    /// What `value` rests on.
    pub samples: i64,
    /// What `baseline` rests on.
    pub baseline_samples: i64,
    /// What the baseline was made of.
    pub kind: BaselineKind,
    /// Where `value` was counted.
    pub window: Span,
    /// How often chance alone shows this much or more.
    pub probability: f64,
    /// The change matters: it is as large as the rule asks for.
    pub is_large: bool,
    /// Next to nothing is left of it.
    pub is_over: bool,
    /// How urgent it would be.
    pub severity: Severity,
}

/// The answer of a rule.
#[derive(Clone, Copy, Debug)]
pub enum Judgement {
    /// Nothing can be said on so few samples: a state of its own, not silence.
    TooFew {
        /// How many there are.
        samples: i64,
        /// How many are needed.
        needed: i64,
    },
    /// Something can be said.
    Measured(Evidence),
}

impl Judgement {
    /// The evidence, if there is any.
    #[must_use]
    pub fn evidence(&self) -> Option<&Evidence> {
        match self {
            Judgement::Measured(evidence) => Some(evidence),
            Judgement::TooFew { .. } => None,
        }
    }
}

/// A release, a campaign: something that was changed on purpose and may be the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suspect {
    /// When.
    pub at: EventTime,
    /// What, as `release 5.2`.
    pub name: String,
}
