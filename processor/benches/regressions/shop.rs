//! Twenty segments as the rules see them.

use std::cell::RefCell;
use std::collections::HashMap;

use touchstream_processor::regressions::statistics::Proportion;
use touchstream_processor::regressions::{Handle, History, Monitor, Rule, Span, Subject, Thresholds, Watch};
use touchstream_schemas::panes::Scores;
use touchstream_schemas::time::{EventTime, Millis};

use crate::world::{START, Segment};

pub(crate) const SEGMENTS: u32 = 20;
/// Numbers of a handle within a segment.
const KINDS: u32 = 8;
/// Kind of the series of waits, breaches, scores and events.
const WAITS: u32 = 4;
const SCORES: u32 = 5;
const EVENTS: u32 = 6;
const ERRORS: u32 = 3;

/// Percentiles by series and stretches: they change once an hour.
type Percentiles = HashMap<(Handle, EventTime, EventTime, usize, u64), (i64, Option<i64>)>;

#[derive(Debug)]
pub(crate) struct Shop<'s> {
    pub(crate) segments: Vec<&'s Segment>,
    percentiles: RefCell<Percentiles>,
}

impl<'s> Shop<'s> {
    pub(crate) fn of(segments: Vec<&'s Segment>) -> Shop<'s> {
        Shop { segments, percentiles: RefCell::default() }
    }

    fn segment(&self, handle: Handle) -> &Segment {
        self.segments[(handle / KINDS) as usize]
    }
}

/// Counted without looking for overflow, which there cannot be: so the compiler counts eight at a time.
fn longer_than(waits: &[u32], limit: u32) -> i64 {
    i64::from(waits.iter().fold(0_u32, |count, wait| count.wrapping_add(u32::from(*wait > limit))))
}

impl History for Shop<'_> {
    fn begins(&self, _handle: Handle) -> EventTime {
        START
    }

    fn proportion(&self, handle: Handle, span: Span) -> Proportion {
        self.segment(handle).proportion(handle % KINDS, span)
    }

    fn scores(&self, handle: Handle, span: Span) -> Scores {
        self.segment(handle).scores(span)
    }

    fn newest_answers(&self, handle: Handle, to: EventTime, answers: i64, longest: Millis) -> Span {
        self.segment(handle).newest_answers(to, answers, longest)
    }

    fn percentile(&self, handle: Handle, spans: &[Span], share: f64, unanswered: i64) -> (i64, Option<i64>) {
        let find = || {
            let waits: Vec<&[u32]> = spans.iter().map(|span| self.segment(handle).waits(*span)).collect();
            let count: usize = waits.iter().map(|waits| waits.len()).sum();
            let count = i64::try_from(count).expect("few");
            let rank = (share * (count + unanswered) as f64).ceil().max(1.0) as i64;
            if rank > count {
                return (count, None);
            }
            // Counting is so much faster than sorting that the value is found by halving what it may be.
            let at_most = |limit: u32| -> i64 {
                waits
                    .iter()
                    .map(|waits| i64::try_from(waits.len()).expect("few") - longer_than(waits, limit))
                    .sum()
            };
            let (mut low, mut high) = (0_u32, 1 << 23);
            while low < high {
                let middle = u32::midpoint(low, high);
                if at_most(middle) >= rank { high = middle } else { low = middle + 1 }
            }
            (count, Some(i64::from(low)))
        };
        let [first, .., last] = spans else { return find() };
        let mut percentiles = self.percentiles.borrow_mut();
        if percentiles.len() > 10_000 {
            percentiles.clear();
        }
        *percentiles.entry((handle, first.from, last.to, spans.len(), share.to_bits())).or_insert_with(find)
    }

    fn slower_than(&self, handle: Handle, span: Span, milliseconds: i64) -> Proportion {
        let waits = self.segment(handle).waits(span);
        if milliseconds == i64::MAX {
            return Proportion { hits: 0, trials: i64::try_from(waits.len()).expect("few") };
        }
        let limit = u32::try_from(milliseconds).unwrap_or(u32::MAX);
        let slow = longer_than(waits, limit);
        Proportion { hits: slow, trials: i64::try_from(waits.len()).expect("few") }
    }

    fn waiting_beyond(&self, handle: Handle, at: EventTime, milliseconds: i64) -> i64 {
        self.segment(handle).waiting_beyond(at, milliseconds)
    }

    fn events(&self, handle: Handle, span: Span) -> i64 {
        self.segment(handle).events(span)
    }
}

/// The rules on every segment; the drop-off of three steps.
pub(crate) fn monitor(rules: &[Rule]) -> Monitor {
    let mut monitor = Monitor::default();
    for segment in 0..SEGMENTS {
        let kinds = |rule: Rule| match rule {
            Rule::DropOffRose => 0..3,
            Rule::ErrorRateRose => ERRORS..ERRORS + 1,
            Rule::ResponseP95Rose | Rule::ResponseSloBurn => WAITS..WAITS + 1,
            Rule::NpsFell => SCORES..SCORES + 1,
            Rule::TouchpointSilent => EVENTS..EVENTS + 1,
            Rule::NothingArrives => 0..0,
        };
        for rule in rules.iter().copied() {
            for kind in kinds(rule) {
                monitor.watch(Watch {
                    subject: Subject {
                        tenant: "shop".into(),
                        rule,
                        touchpoint: format!("touchpoint {segment}").into(),
                        channel: "all".into(),
                        detail: kind.to_string().into(),
                    },
                    handle: segment * KINDS + kind,
                    thresholds: Thresholds::of(rule),
                    owner: "owner".to_owned(),
                    runbook: None,
                    time_zone: None,
                });
            }
        }
    }
    monitor
}
