//! What is wrong in one of twenty segments: is it found, and how soon?

use touchstream_processor::regressions::{Marks, Rule, State};
use touchstream_schemas::time::Millis;

use crate::Line;
use crate::shop::{SEGMENTS, Shop, monitor};
use crate::world::{CELLS_A_DAY, CELLS_AN_HOUR, Injury, Plan, Segment, Volumes, cell_of, time_of};

/// It begins on a Tuesday at ten, after five weeks.
const FROM_CELL: usize = 36 * CELLS_A_DAY + 10 * CELLS_AN_HOUR;

/// One row of the tables.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    pub(crate) rule: Rule,
    pub(crate) effect: &'static str,
    pub(crate) injury: Injury,
    /// Entries, conversations, events or responses an hour; answers a day.
    pub(crate) volume: f64,
    /// What is asked for: found within this many hours (answers, for scores) in this share of seeds.
    pub(crate) target: Option<(f64, f64)>,
    /// Within what it counts as found in the table.
    pub(crate) within: f64,
}

impl Case {
    pub(crate) fn name(&self) -> String {
        format!("{} {} {}", self.rule.name(), self.effect, self.volume)
    }
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut add = |rule, volumes: &[f64], within, effects: &[(&'static str, Injury)]| {
        for (effect, injury) in effects {
            for volume in volumes {
                cases.push(Case { rule, effect, injury: *injury, volume: *volume, target: None, within });
            }
        }
    };
    add(
        Rule::DropOffRose,
        &[50.0, 200.0, 800.0],
        3.0,
        &[
            ("+5 points", Injury::DropOff(0.05)),
            ("+10 points", Injury::DropOff(0.10)),
            ("+15 points", Injury::DropOff(0.15)),
            ("+25 points", Injury::DropOff(0.25)),
        ],
    );
    add(
        Rule::ResponseP95Rose,
        &[20.0, 60.0, 200.0],
        4.0,
        &[("× 1.5", Injury::Waits(1.5)), ("× 2", Injury::Waits(2.0)), ("× 3", Injury::Waits(3.0))],
    );
    add(
        Rule::ResponseSloBurn,
        &[20.0, 60.0, 200.0],
        4.0,
        &[
            ("waits × 3", Injury::Waits(3.0)),
            ("waits × 6", Injury::Waits(6.0)),
            ("waits × 20", Injury::Waits(20.0)),
        ],
    );
    add(
        Rule::NpsFell,
        &[20.0, 50.0, 200.0],
        400.0,
        &[
            ("−10 points", Injury::Nps(10.0)),
            ("−20 points", Injury::Nps(20.0)),
            ("−30 points", Injury::Nps(30.0)),
        ],
    );
    add(Rule::TouchpointSilent, &[30.0, 100.0, 1_000.0], 0.5, &[("nothing comes", Injury::Silent)]);
    add(
        Rule::ErrorRateRose,
        &[200.0, 1_000.0, 5_000.0],
        3.0,
        &[
            ("+2 points", Injury::Errors(0.02)),
            ("+3 points", Injury::Errors(0.03)),
            ("+5 points", Injury::Errors(0.05)),
        ],
    );
    for (rule, effect, volume, share) in [
        (Rule::DropOffRose, "+15 points", 200.0, 0.95),
        (Rule::ResponseP95Rose, "× 2", 60.0, 0.95),
        (Rule::NpsFell, "−20 points", 50.0, 0.85),
        (Rule::TouchpointSilent, "nothing comes", 100.0, 0.99),
    ] {
        let is_it = |case: &&mut Case| case.rule == rule && case.effect == effect && case.volume == volume;
        let case = cases.iter_mut().find(is_it).expect("it is one of them");
        case.target = Some((case.within, share));
    }
    cases
}

/// How long each case is watched.
fn horizon(case: &Case) -> usize {
    match case.rule {
        Rule::NpsFell => 28 * CELLS_A_DAY,
        Rule::TouchpointSilent => 6 * CELLS_AN_HOUR,
        _ => CELLS_A_DAY,
    }
}

/// For each case hours until it was found, not a number if it was not; for scores answers until then.
pub(crate) fn all(seed: u64) -> Vec<Line> {
    let cells = FROM_CELL + 28 * CELLS_A_DAY;
    let plan = |volumes, injury| Plan { volumes, injury, from_cell: FROM_CELL, has_hours: false };
    let others: Vec<Segment> = (1..SEGMENTS)
        .map(|number| {
            let scale = 10_f64.powf(2.0 * f64::from(number) / f64::from(SEGMENTS - 1));
            let plan = plan(Volumes::scaled(scale), Injury::None);
            Segment::simulate(&plan, cells, 1_000_000 + seed * 1_000 + u64::from(number))
        })
        .collect();
    let found = |(number, case): (usize, Case)| {
        let mut volumes = Volumes::scaled(10.0);
        match case.rule {
            Rule::DropOffRose => volumes.entries = case.volume,
            Rule::ResponseP95Rose | Rule::ResponseSloBurn => volumes.conversations = case.volume,
            Rule::NpsFell => volumes.answers_a_day = case.volume,
            Rule::TouchpointSilent | Rule::NothingArrives => volumes.events = case.volume,
            Rule::ErrorRateRose => volumes.responses = case.volume,
        }
        let cells = FROM_CELL + horizon(&case);
        let number = u64::try_from(number).expect("few cases");
        let hurt = Segment::simulate(&plan(volumes, case.injury), cells, 2_000_000 + seed * 1_000 + number);
        let shop = Shop::of([&hurt].into_iter().chain(&others).collect());
        (case.name(), seed, vec![watch(&case, &hurt, &shop)])
    };
    cases()
        .into_iter()
        .enumerate()
        .filter(|(_, case)| std::env::var("CASE").map_or(true, |name| case.name() == name))
        .map(found)
        .collect()
}

fn watch(case: &Case, hurt: &Segment, shop: &Shop<'_>) -> f64 {
    let (mut monitor, marks) = (monitor(&[case.rule]), Marks::default());
    let began = time_of(FROM_CELL);
    let mut at = began - Millis::HOUR;
    while at < time_of(FROM_CELL + horizon(case)) {
        let is_it = |change: &touchstream_processor::regressions::Change| {
            change.state == State::Firing
                && change.subject.rule == case.rule
                && &*change.subject.touchpoint == "touchpoint 0"
                && at > began
        };
        if monitor.check(at, &marks, shop).iter().any(is_it) {
            let span = touchstream_processor::regressions::Span { from: began, to: at };
            return match case.rule {
                Rule::NpsFell => hurt.scores(span).answers as f64,
                _ => (cell_of(at) - cell_of(began)) as f64 / CELLS_AN_HOUR as f64,
            };
        }
        at = at + case.rule.interval();
    }
    f64::NAN
}
