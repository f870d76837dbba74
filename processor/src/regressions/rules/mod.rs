//! The rules: each a pure function from what was counted to what can be said of it.

mod nps;
mod proportion;
mod response_p95;
mod silent;
mod slo_burn;
mod slowdown;

use touchstream_schemas::time::{EventTime, Millis};

use super::baseline::Usual;
use super::evidence::Judgement;
use super::history::{Handle, History, Span};
use super::thresholds::{Rule, Thresholds};

/// Windows of rules about rates and times, the shortest first: a large change shows within the hour, a small one or one at a quiet
/// touchpoint needs longer.
const WINDOWS: [Millis; 4] = [Millis::HOUR, Millis::HOUR.times(2), Millis::HOUR.times(4), Millis::DAY];

/// Everything a rule looks at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question<'a, H> {
    pub(crate) history: &'a H,
    pub(crate) handle: Handle,
    pub(crate) at: EventTime,
    pub(crate) usual: Usual<'a>,
    /// When events were lost: what lies there is not what customers did.
    pub(crate) lost: &'a [Span],
    pub(crate) thresholds: &'a Thresholds,
}

impl<H: History> Question<'_, H> {
    /// Asks a rule.
    pub(crate) fn judge(&self, rule: Rule) -> Judgement {
        match rule {
            Rule::NpsFell => nps::judge(self),
            Rule::DropOffRose | Rule::ErrorRateRose => proportion::judge(self),
            Rule::ResponseP95Rose => response_p95::judge(self),
            Rule::ResponseSloBurn => slo_burn::judge(self),
            Rule::TouchpointSilent | Rule::NothingArrives => silent::judge(self),
        }
    }

    /// How much of what was found a part of the series adds, in a unit that only compares parts.
    pub(crate) fn excess(&self, rule: Rule, part: Handle, window: Span, whole: &super::Evidence) -> f64 {
        let part = Question { handle: part, ..*self };
        match rule {
            Rule::NpsFell => nps::excess(&part, window, whole),
            Rule::DropOffRose | Rule::ErrorRateRose => proportion::excess(&part, window),
            Rule::ResponseP95Rose => response_p95::excess(&part, window, whole),
            Rule::ResponseSloBurn => slo_burn::excess(&part, window),
            Rule::TouchpointSilent | Rule::NothingArrives => silent::excess(&part, window),
        }
    }

    /// Windows before now, without those in which events were lost: what was lost cannot be judged.
    fn windows(&self) -> impl Iterator<Item = Span> {
        let is_whole = |window: &Span| !self.lost.iter().any(|lost| lost.overlaps(*window));
        WINDOWS
            .into_iter()
            .map(|length| Span::before(self.at, length))
            .filter(move |window| window.from >= self.usual.begins && is_whole(window))
    }
}
