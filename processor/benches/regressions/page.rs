//! The page of results.

use std::fmt::Write as _;

use touchstream_processor::regressions::{Rule, statistics};

use crate::Line;
use crate::power::{Case, cases};

const HEAD: &str = include_str!("head.md");

pub(crate) fn write(results: &[Line]) -> String {
    let mut text = HEAD.to_owned();
    false_alarms(&mut text, results);
    power(&mut text, results);
    text
}

fn of<'r>(results: &'r [Line], part: &str) -> Vec<&'r [f64]> {
    results.iter().filter(|line| line.0 == part).map(|line| line.2.as_slice()).collect()
}

/// Mean over the seeds with its 95 % interval.
fn mean(numbers: &[f64]) -> (f64, f64, f64) {
    let count = numbers.len().max(1) as f64;
    let mean = numbers.iter().sum::<f64>() / count;
    let variance = numbers.iter().map(|number| (number - mean).powi(2)).sum::<f64>() / (count - 1.0).max(1.0);
    let half = statistics::NINETY_FIVE * (variance / count).sqrt();
    (mean, mean - half, mean + half)
}

fn false_alarms(text: &mut String, results: &[Line]) {
    let years = of(results, "year");
    let column = |index: usize| -> Vec<f64> { years.iter().map(|numbers| numbers[index]).collect() };
    let mut row = |name: &str, index: usize, target: &str| {
        let (mean, low, high) = mean(&column(index));
        let digits = if mean > 100.0 { 0 } else { 2 };
        writeln!(text, "| {name} | {mean:.digits$} | {low:.digits$} to {high:.digits$} | {target} |")
            .expect("memory");
    };
    row("**pages**", 0, "≤ 2");
    row("**tickets**", 1, "≤ 20");
    row("naive alarms, z ≥ 1.96 on the last hour, drop-off and errors alone", 2, "");
    for (index, rule) in Rule::ALL.into_iter().enumerate() {
        row(&format!("`{}`", rule.name()), 3 + index, "");
    }
    writeln!(text, "\n{} seeds.\n", years.len()).expect("memory");
}

fn power(text: &mut String, results: &[Line]) {
    text.push_str(include_str!("power.md"));
    for case in cases() {
        power_row(text, results, &case);
    }
}

fn power_row(text: &mut String, results: &[Line], case: &Case) {
    let found: Vec<f64> = of(results, &case.name()).iter().map(|numbers| numbers[0]).collect();
    let soon = found.iter().filter(|time| **time <= case.within).count();
    let ever = found.iter().filter(|time| !time.is_nan()).count();
    let share = statistics::Proportion { hits: soon as i64, trials: found.len() as i64 };
    let (low, high) = statistics::wilson(share);
    let mut times: Vec<f64> =
        found.iter().map(|time| if time.is_nan() { f64::INFINITY } else { *time }).collect();
    times.sort_by(f64::total_cmp);
    let median = times.get(times.len() / 2).copied().unwrap_or(f64::INFINITY);
    let (unit, volume) = match case.rule {
        Rule::NpsFell => ("answers", "a day"),
        Rule::TouchpointSilent => ("min", "an hour"),
        _ => ("h", "an hour"),
    };
    let shown = |time: f64| match (case.rule, time.is_finite()) {
        (_, false) => "–".to_owned(),
        (Rule::TouchpointSilent, true) => format!("{:.0} {unit}", time * 60.0),
        (Rule::NpsFell, true) => format!("{time:.0} {unit}"),
        (_, true) => format!("{time:.1} {unit}"),
    };
    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    let target = case.target.map_or(String::new(), |(_, share)| format!("≥ {:.0} %", 100.0 * share));
    writeln!(
        text,
        "| `{}` | {} | {} {volume} | {} ({} to {}) | within {} | {target} | {} | {} |",
        case.rule.name(),
        case.effect,
        case.volume,
        percent(share.share()),
        percent(low),
        percent(high),
        shown(case.within),
        percent(ever as f64 / found.len().max(1) as f64),
        shown(median),
    )
    .expect("memory");
}
