//! Simulated customers of one segment: counts of five minutes with hours of the week, good and bad days, holidays, and noise that hours of
//! the same day share, as real shops have it.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Binomial, Distribution, LogNormal, Normal, Poisson};
use touchstream_processor::regressions::Span;
use touchstream_processor::regressions::statistics::Proportion;
use touchstream_schemas::panes::Scores;
use touchstream_schemas::time::{EventTime, Millis};

pub(crate) const CELL: Millis = Millis::MINUTE.times(5);
pub(crate) const CELLS_AN_HOUR: usize = 12;
pub(crate) const CELLS_A_DAY: usize = 24 * CELLS_AN_HOUR;
/// A Monday.
pub(crate) const START: EventTime = EventTime(1_767_571_200_000);
/// Service level of a first response.
pub(crate) const SLO_MS: u32 = 300_000;
/// Nobody waits longer; bounds the search for who waits now.
const LONGEST_WAIT_MS: u32 = 90 * 60_000;
/// An attempt counts as abandoned when nothing happened for half an hour: six cells later.
const SILENCE_CELLS: usize = 6;
/// Share of attempts dropped at each of three steps.
pub(crate) const DROP_OFF: [f64; 3] = [0.12, 0.20, 0.08];

/// Mean volumes by hour, answers by day.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Volumes {
    pub(crate) events: f64,
    pub(crate) entries: f64,
    pub(crate) responses: f64,
    pub(crate) conversations: f64,
    pub(crate) answers_a_day: f64,
}

impl Volumes {
    pub(crate) fn scaled(scale: f64) -> Volumes {
        Volumes {
            events: 20.0 * scale,
            entries: 4.0 * scale,
            responses: 15.0 * scale,
            conversations: 1.2 * scale,
            answers_a_day: 3.0 * scale,
        }
    }
}

/// What goes wrong, from a cell on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Injury {
    None,
    /// Further share of attempts dropped at the first step.
    DropOff(f64),
    /// Waits are this many times as long.
    Waits(f64),
    /// NPS falls by so many points.
    Nps(f64),
    /// Nothing comes any more.
    Silent,
    /// Further share of errors.
    Errors(f64),
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) volumes: Volumes,
    pub(crate) injury: Injury,
    pub(crate) from_cell: usize,
    /// Whether hours of the week differ; else every hour has the mean volume.
    pub(crate) has_hours: bool,
}

/// Sums from the start to each cell.
#[derive(Clone, Debug, Default)]
struct Sums(Vec<u32>);

impl Sums {
    fn of(counts: &[u32]) -> Sums {
        let mut sums = Vec::with_capacity(counts.len() + 1);
        let mut sum = 0;
        sums.push(0);
        for count in counts {
            sum += count;
            sums.push(sum);
        }
        Sums(sums)
    }

    fn within(&self, span: Span) -> i64 {
        let at = |time: EventTime| self.0[cell_of(time).min(self.0.len() - 1)];
        i64::from(at(span.to)) - i64::from(at(span.from))
    }
}

pub(crate) fn cell_of(time: EventTime) -> usize {
    usize::try_from((time - START).0 / CELL.0).unwrap_or_default()
}

pub(crate) fn time_of(cell: usize) -> EventTime {
    START + CELL.times(i64::try_from(cell).expect("few cells"))
}

#[derive(Debug)]
pub(crate) struct Segment {
    events: Sums,
    steps: [[Sums; 2]; 3],
    errors: [Sums; 2],
    breaches: [Sums; 2],
    scores: [Sums; 3],
    /// Waits in the order in which they ended, and how many had ended by each cell.
    waits: Vec<u32>,
    ended: Sums,
    /// When each conversation began, in milliseconds since the start, and how long it waited.
    asked: Vec<(i64, u32)>,
}

/// Customers by hour of the week: nights are quiet, evenings busy, weekends quieter.
fn by_hour(cell: usize) -> f64 {
    let hour = cell / CELLS_AN_HOUR % 24;
    let day = cell / CELLS_A_DAY % 7;
    let of_day = [
        0.25, 0.15, 0.1, 0.1, 0.1, 0.2, 0.5, 0.8, 1.0, 1.2, 1.3, 1.4, 1.4, 1.3, 1.3, 1.3, 1.4, 1.5, 1.7, 1.9,
        1.9, 1.6, 1.0, 0.5,
    ];
    of_day[hour] * if day >= 5 { 0.85 } else { 1.06 }
}

fn shifted(share: f64, by: f64) -> f64 {
    let odds = (share / (1.0 - share)).ln() + by;
    1.0 / (1.0 + (-odds).exp())
}

fn draw_binomial(random: &mut ChaCha8Rng, trials: u32, share: f64) -> u32 {
    if trials == 0 {
        return 0;
    }
    if trials < 12 {
        return (0..trials).map(|_| u32::from(random.random::<f64>() < share)).sum();
    }
    Binomial::new(u64::from(trials), share.clamp(0.0, 1.0)).expect("a share").sample(random) as u32
}

fn draw_poisson(random: &mut ChaCha8Rng, mean: f64) -> u32 {
    if mean <= 0.0 {
        return 0;
    }
    if mean < 8.0 {
        let (limit, mut product, mut count) = ((-mean).exp(), random.random::<f64>(), 0);
        while product > limit {
            product *= random.random::<f64>();
            count += 1;
        }
        return count;
    }
    Poisson::new(mean).expect("a mean").sample(random) as u32
}

impl Segment {
    pub(crate) fn simulate(plan: &Plan, cells: usize, seed: u64) -> Segment {
        let random = &mut ChaCha8Rng::seed_from_u64(seed);
        let zeros = || vec![0_u32; cells];
        let mut events = zeros();
        let mut steps: [[Vec<u32>; 2]; 3] = std::array::from_fn(|_| [zeros(), zeros()]);
        let mut errors = [zeros(), zeros()];
        let mut breaches = [zeros(), zeros()];
        let mut scores = [zeros(), zeros(), zeros()];
        let mut asked = Vec::new();
        let normal = Normal::new(0.0, 1.0).expect("a deviation");
        // What the hours of a day share.
        let mut day_noise = [0.0_f64; 5];
        let mut hour_noise = [0.0_f64; 5];
        let mut is_holiday = false;
        let wait = LogNormal::new(60_000_f64.ln(), 0.9).expect("a deviation");
        let volumes = plan.volumes;
        for cell in 0..cells {
            if cell % CELLS_A_DAY == 0 {
                day_noise =
                    [0.12, 0.04, 0.10, 0.05, 0.05].map(|deviation: f64| deviation * normal.sample(random));
                is_holiday = plan.has_hours && random.random::<f64>() < 10.0 / 365.0;
            }
            if cell % CELLS_AN_HOUR == 0 {
                hour_noise =
                    [0.15, 0.06, 0.20, 0.07, 0.0].map(|deviation: f64| deviation * normal.sample(random));
            }
            let noise: [f64; 5] = std::array::from_fn(|index| day_noise[index] + hour_noise[index]);
            let injury = if cell >= plan.from_cell { plan.injury } else { Injury::None };
            let busy = if plan.has_hours { by_hour(cell) } else { 1.0 };
            let busy = busy * noise[0].exp() * if is_holiday { 0.3 } else { 1.0 };
            let busy = if injury == Injury::Silent { 0.0 } else { busy / CELLS_AN_HOUR as f64 };
            events[cell] = draw_poisson(random, volumes.events * busy);

            let mut attempts = draw_poisson(random, volumes.entries * busy);
            for (index, usual) in DROP_OFF.into_iter().enumerate() {
                let share = match injury {
                    Injury::DropOff(more) if index == 0 => usual + more,
                    _ => usual,
                };
                let dropped = draw_binomial(random, attempts, shifted(share, noise[1]));
                // Attempts that go on end, one way or another, about now; dropped ones half an hour later.
                let later = (cell + SILENCE_CELLS).min(cells - 1);
                steps[index][0][later] += dropped;
                for earlier in &mut steps[..index] {
                    earlier[1][later] += dropped;
                }
                attempts -= dropped;
            }
            steps.iter_mut().for_each(|step| step[1][cell] += attempts);

            let more = if let Injury::Errors(more) = injury { more } else { 0.0 };
            errors[1][cell] = draw_poisson(random, volumes.responses * busy);
            errors[0][cell] = draw_binomial(random, errors[1][cell], shifted(0.01 + more, noise[2]));

            let longer = if let Injury::Waits(times) = injury { times } else { 1.0 };
            // Whoever asks in a busy hour waits longer.
            let load = if plan.has_hours { 1.0 + 0.15 * (by_hour(cell) - 1.0) } else { 1.0 };
            for _ in 0..draw_poisson(random, volumes.conversations * busy) {
                let at = CELL.0 * cell as i64 + random.random_range(0..CELL.0);
                let waited = wait.sample(random) * longer * load * noise[3].exp();
                asked.push((at, (waited as u32).min(LONGEST_WAIT_MS)));
            }

            let answers = draw_poisson(random, volumes.answers_a_day * busy / 24.0);
            let fall = if let Injury::Nps(points) = injury { points / 200.0 } else { 0.0 };
            let sway = 0.3 * noise[4];
            let (top, bottom) = ((0.5 - fall + sway).clamp(0.0, 1.0), (0.2 + fall - sway).clamp(0.0, 1.0));
            scores[0][cell] = answers;
            scores[1][cell] = draw_binomial(random, answers, top);
            scores[2][cell] =
                draw_binomial(random, answers - scores[1][cell], (bottom / (1.0 - top)).clamp(0.0, 1.0));
        }
        asked.sort_unstable();
        let mut ends: Vec<(i64, u32)> =
            asked.iter().map(|(at, wait)| (at + i64::from(*wait), *wait)).collect();
        ends.sort_unstable();
        let mut ended = zeros();
        let end = CELL.0 * cells as i64;
        for (at, wait) in &ends {
            if *at < end {
                ended[usize::try_from(at / CELL.0).expect("after the start")] += 1;
            }
            // A breach counts at the deadline, and every conversation when its wait or the service level ends.
            let breach_at = at - i64::from(*wait) + i64::from(SLO_MS);
            let counted = (if *wait > SLO_MS { breach_at } else { *at }) / CELL.0;
            if let Some(count) = breaches[1].get_mut(usize::try_from(counted).expect("after the start")) {
                *count += 1;
                breaches[0][usize::try_from(counted).expect("after the start")] += u32::from(*wait > SLO_MS);
            }
        }
        Segment {
            events: Sums::of(&events),
            steps: steps.map(|step| step.map(|counts| Sums::of(&counts))),
            errors: errors.map(|counts| Sums::of(&counts)),
            breaches: breaches.map(|counts| Sums::of(&counts)),
            scores: scores.map(|counts| Sums::of(&counts)),
            waits: ends.into_iter().map(|(_, wait)| wait).collect(),
            ended: Sums::of(&ended),
            asked,
        }
    }

    pub(crate) fn events(&self, span: Span) -> i64 {
        self.events.within(span)
    }

    /// Steps are 0 to 2, errors 3, breaches 4.
    pub(crate) fn proportion(&self, which: u32, span: Span) -> Proportion {
        let [hits, trials] = match which {
            0..=2 => {
                // Of the attempts of one time those that went on are known half an hour before those that did not.
                let [dropped, went_on] = &self.steps[which as usize];
                let (hits, earlier) = (dropped.within(span), span.earlier(CELL.times(SILENCE_CELLS as i64)));
                return Proportion { hits, trials: hits + went_on.within(earlier) };
            }
            3 => &self.errors,
            _ => &self.breaches,
        };
        Proportion { hits: hits.within(span), trials: trials.within(span) }
    }

    pub(crate) fn scores(&self, span: Span) -> Scores {
        let [answers, top, bottom] = [0, 1, 2].map(|index: usize| self.scores[index].within(span));
        Scores { answers, top, bottom, middle: answers - top - bottom }
    }

    pub(crate) fn newest_answers(&self, to: EventTime, answers: i64, longest: Millis) -> Span {
        let sums = &self.scores[0].0;
        let end = cell_of(to);
        let first = end.saturating_sub(usize::try_from(longest.0 / CELL.0).expect("short"));
        let wanted = i64::from(sums[end]) - answers;
        let from = first + sums[first..end].partition_point(|sum| i64::from(*sum) <= wanted);
        Span { from: time_of(from.saturating_sub(1).max(first)), to }
    }

    pub(crate) fn waits(&self, span: Span) -> &[u32] {
        let at = |time: EventTime| self.ended.0[cell_of(time).min(self.ended.0.len() - 1)] as usize;
        &self.waits[at(span.from)..at(span.to)]
    }

    pub(crate) fn waiting_beyond(&self, at: EventTime, milliseconds: i64) -> i64 {
        let now = (at - START).0;
        let first = self.asked.partition_point(|(asked, _)| *asked < now - i64::from(LONGEST_WAIT_MS));
        let waits = |(asked, wait): &&(i64, u32)| asked + i64::from(*wait) > now;
        let asked = self.asked[first..].iter().take_while(|(asked, _)| now - asked > milliseconds);
        i64::try_from(asked.filter(waits).count()).expect("few")
    }
}
