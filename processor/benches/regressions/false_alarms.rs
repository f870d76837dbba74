//! Twelve months in which nothing is wrong.

use touchstream_processor::regressions::statistics::two_proportions;
use touchstream_processor::regressions::{CHECK_INTERVAL, Marks, Rule, Severity, Span, State};
use touchstream_schemas::time::{EventTime, Millis};

use crate::shop::{SEGMENTS, Shop, monitor};
use crate::world::{CELLS_A_DAY, Injury, Plan, Segment, Volumes, time_of};

/// Days of history before the first check.
const BEFORE: usize = 35;
/// Checked days.
const DAYS: usize = 365;

/// Pages, tickets, alarms of a naive rule, then firings by rule in the order of [`Rule::ALL`].
pub(crate) fn year(seed: u64) -> Vec<f64> {
    let cells = (BEFORE + DAYS) * CELLS_A_DAY;
    let segments: Vec<Segment> = (0..SEGMENTS)
        .map(|number| {
            // From 20 to 2,000 events an hour.
            let scale = 10_f64.powf(2.0 * f64::from(number) / f64::from(SEGMENTS - 1));
            let plan = Plan {
                volumes: Volumes::scaled(scale),
                injury: Injury::None,
                from_cell: cells,
                has_hours: true,
            };
            Segment::simulate(&plan, cells, seed * 1_000 + u64::from(number))
        })
        .collect();
    let shop = Shop::of(segments.iter().collect());
    let (mut monitor, mut naive) = (monitor(&rules()), Naive::default());
    let (mut pages, mut tickets, mut by_rule) = (0.0, 0.0, [0.0; Rule::ALL.len()]);
    let marks = Marks::default();
    let mut at = time_of(BEFORE * CELLS_A_DAY);
    while at < time_of(cells) {
        for change in monitor.check(at, &marks, &shop) {
            if change.state != State::Firing {
                continue;
            }
            if std::env::var_os("BENCH_VERBOSE").is_some() {
                println!("{} {change:?}", (at - time_of(0)).0 / Millis::DAY.0);
            }
            match change.severity {
                Severity::Page => pages += 1.0,
                Severity::Ticket => tickets += 1.0,
            }
            let rule = Rule::ALL.iter().position(|rule| *rule == change.subject.rule).expect("one of all");
            by_rule[rule] += 1.0;
        }
        naive.check(at, &shop);
        at = at + CHECK_INTERVAL;
    }
    [pages, tickets, naive.alarms].into_iter().chain(by_rule).collect()
}

/// All rules, or those that `BENCH_RULES` names: each rule is judged by itself, so one alone tells the same as among the others.
fn rules() -> Vec<Rule> {
    let wanted = std::env::var("BENCH_RULES");
    let is_wanted =
        |rule: &Rule| wanted.as_ref().is_ok_and(|wanted| wanted.split(',').any(|name| name == rule.name()));
    Rule::ALL.into_iter().filter(|rule| wanted.is_err() || is_wanted(rule)).collect()
}

/// What many would build first: the last hour against the same hour in the four weeks before, z ≥ 1.96, at each check.
#[derive(Debug, Default)]
struct Naive {
    alarms: f64,
    alarming: std::collections::HashSet<(usize, u32)>,
}

impl Naive {
    fn check(&mut self, at: EventTime, shop: &Shop<'_>) {
        for (number, segment) in shop.segments.iter().enumerate() {
            for which in 0..4 {
                let hour = Span::before(at, Millis::HOUR);
                let now = segment.proportion(which, hour);
                let weeks =
                    (1..=4).map(|week| segment.proportion(which, hour.earlier(Millis::DAY.times(7 * week))));
                let before = weeks.fold(
                    Default::default(),
                    |sum: touchstream_processor::regressions::statistics::Proportion, week| sum.plus(week),
                );
                let is_alarm = now.trials >= 30 && two_proportions(now, before, 1.0) >= 1.96;
                if !is_alarm {
                    self.alarming.remove(&(number, which));
                } else if self.alarming.insert((number, which)) {
                    self.alarms += 1.0;
                }
            }
        }
    }
}
