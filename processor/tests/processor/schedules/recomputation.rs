//! The plain recomputation: facts by the rules alone, and every window as the sum of its minutes, in whatever order.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use touchstream_processor::cells::Counts;
use touchstream_processor::contacts::RETURN_WITHIN;
use touchstream_processor::measure::checkout::CheckoutRules;
use touchstream_processor::measure::conversation::{ConversationRules, Finding};
use touchstream_processor::measure::deltas::{Deltas, Sign};
use touchstream_processor::measure::feedback::{Feedback, FeedbackRules};
use touchstream_processor::measure::journeys::Rules;
use touchstream_processor::series::SeriesKey;
use touchstream_runtime::settings::Settings;
use touchstream_runtime::touchpoints::Touchpoints;
use touchstream_schemas::facts::ContactFact;
use touchstream_schemas::log_buckets;
use touchstream_schemas::panes::{Bucket, Pane, ServiceCounts, metric};
use touchstream_schemas::time::EventTime;
use touchstream_schemas::windows::{Percentiles, Window};

use super::events::Everything;

/// Numbers of a window by name; zeros are left out.
pub(crate) type Numbers = BTreeMap<String, i64>;

/// Facts of all journeys, and what everything adds up to, by series and minute.
pub(crate) fn recompute(
    everything: &mut Everything,
    settings: &Settings,
    touchpoints: &Arc<Touchpoints>,
    watermark: EventTime,
) -> (BTreeSet<String>, Deltas) {
    let (mut facts, mut deltas) = (BTreeSet::new(), Deltas::default());
    let metrics = &settings.metrics;
    of(
        &CheckoutRules::new(metrics, touchpoints.clone()),
        &mut everything.checkouts,
        watermark,
        &mut deltas,
        |fact| {
            facts.insert(format!("{fact:?}"));
        },
    );
    let conversation = ConversationRules::new(metrics, touchpoints.clone());
    of(&conversation, &mut everything.conversations, watermark, &mut deltas, |finding| {
        // Nobody asks what became of unknown customers.
        if !matches!(finding, Finding::Contact(contact) if contact.customer_id.is_none()) {
            facts.insert(format!("{finding:?}"));
        }
    });
    count_returns(&conversation, everything, watermark, &mut deltas);
    of(&FeedbackRules::new(metrics), &mut everything.submissions, watermark, &mut deltas, |fact| {
        if let Feedback::Answer(answer) = fact {
            facts.insert(format!("{answer:?}"));
        }
    });
    for counted in &everything.counted {
        let (series, further) = (&counted.series, &counted.further);
        deltas.count_by(series, further, counted.time, counted.counts.clone(), Sign::Plus);
    }
    (facts, deltas)
}

fn of<R: Rules>(
    rules: &R,
    journeys: &mut BTreeMap<String, Vec<R::Point>>,
    watermark: EventTime,
    deltas: &mut Deltas,
    mut found: impl FnMut(&R::Fact),
) {
    for (key, points) in journeys {
        points.sort_by(|one, other| R::position(one).cmp(&R::position(other)));
        for mut fact in rules.evaluate("t", key, points, watermark).facts {
            R::contribute(&fact, Sign::Plus, deltas);
            R::stamp(&mut fact, 0, false);
            found(&fact);
        }
    }
}

/// Contained contacts whose customer began another conversation soon after, by comparing all with all.
fn count_returns(
    rules: &ConversationRules,
    everything: &Everything,
    watermark: EventTime,
    deltas: &mut Deltas,
) {
    let findings = everything
        .conversations
        .iter()
        .flat_map(|(key, points)| rules.evaluate("t", key, points, watermark).facts);
    let contacts: Vec<ContactFact> = findings
        .filter_map(|finding| match finding {
            Finding::Contact(contact) if contact.customer_id.is_some() => Some(contact),
            _ => None,
        })
        .collect();
    for one in contacts.iter().filter(|contact| contact.is_contained) {
        let comes_back = |other: &&ContactFact| {
            other.customer_id == one.customer_id
                && other.conversation_id != one.conversation_id
                && other.started_at > one.last_event_at
                && other.started_at - one.last_event_at <= RETURN_WITHIN
        };
        if contacts.iter().any(|other| comes_back(&other)) {
            let series = [&*one.touchpoint, &*one.channel, &*one.device];
            let series = SeriesKey::new("t", metric::SERVICE_QUALITY, "", series);
            let counts = ServiceCounts { returned: 1, ..ServiceCounts::default() };
            let (further, at) = (&one.further, one.outcome_at.unwrap());
            deltas.count_by(&series, further, at, Counts::Service(counts), Sign::Plus);
        }
    }
}

fn numbers_of_pane(pane: &Pane<'_>) -> Numbers {
    let mut numbers = Numbers::new();
    let mut add = |name: String, value: i64| *numbers.entry(name).or_insert(0) += value;
    if let Some(scores) = pane.scores {
        add("answers".into(), scores.answers);
        add("top".into(), scores.top);
        add("bottom".into(), scores.bottom);
    }
    if let Some(checkout) = &pane.checkout {
        for step in &checkout.steps {
            add(format!("step {} reached", step.step), step.reached);
            add(format!("step {} dropped", step.step), step.dropped);
        }
        for reason in &checkout.reasons {
            let name = format!("{} {} {}", reason.reason, reason.reason_source, reason.currency);
            add(format!("reason {name}"), reason.attempts);
            add(format!("value {name}"), reason.value.0);
        }
        add("within 3".into(), checkout.within_3min);
        add("within 15".into(), checkout.within_15min);
    }
    if let Some(response) = &pane.response {
        add("breached".into(), response.breached);
    }
    if let Some(service) = &pane.service {
        numbers_of_service(service).into_iter().for_each(|(name, count)| add(name, count));
    }
    if let Some(app) = &pane.app {
        add("errors".into(), app.errors);
        add("tasks".into(), app.tasks);
        add("successes".into(), app.successes);
    }
    let durations = (pane.checkout.iter().map(|checkout| &checkout.durations))
        .chain(pane.response.iter().map(|response| &response.durations))
        .chain(pane.app.iter().map(|app| &app.durations));
    for bucket in durations.flatten() {
        add(format!("bucket {:08}", bucket.index + 1), bucket.count);
    }
    numbers
}

fn numbers_of_service(counts: &ServiceCounts) -> Numbers {
    let value = serde_json::to_value(counts).unwrap();
    value.as_object().unwrap().iter().map(|(name, count)| (name.clone(), count.as_i64().unwrap())).collect()
}

/// Replaces buckets by what windows show of them.
fn finish(mut numbers: Numbers) -> Numbers {
    let mut buckets = Vec::new();
    numbers.retain(|name, count| match name.strip_prefix("bucket ") {
        Some(index) => {
            buckets.push(Bucket { index: index.parse::<i32>().unwrap() - 1, count: *count });
            false
        }
        None => true,
    });
    let at = |percent| log_buckets::percentile(&buckets, percent);
    let n = buckets.iter().map(|bucket| bucket.count).sum();
    let percentiles = Percentiles { n, p50_ms: at(50), p75_ms: at(75), p95_ms: at(95), p99_ms: at(99) };
    add_percentiles(&mut numbers, percentiles);
    numbers.retain(|_, value| *value != 0);
    numbers
}

fn add_percentiles(numbers: &mut Numbers, shown: Percentiles) {
    numbers.insert("n".into(), shown.n);
    let values = [("p50", shown.p50_ms), ("p75", shown.p75_ms), ("p95", shown.p95_ms), ("p99", shown.p99_ms)];
    numbers.extend(values.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
}

/// The numbers that a window shows.
pub(crate) fn numbers_of_window(window: &Window<'_>) -> Numbers {
    let mut numbers = Numbers::new();
    if let Some(scores) = window.scores {
        numbers.extend([
            ("answers".into(), scores.answers),
            ("top".into(), scores.top),
            ("bottom".into(), scores.bottom),
        ]);
    }
    if let Some(checkout) = &window.checkout {
        for step in &checkout.steps {
            *numbers.entry(format!("step {} reached", step.step)).or_insert(0) += step.reached;
            *numbers.entry(format!("step {} dropped", step.step)).or_insert(0) += step.dropped;
        }
        for reason in &checkout.reasons {
            let name = format!("{} {} {}", reason.reason, reason.reason_source, reason.currency);
            numbers.insert(format!("reason {name}"), reason.attempts);
            numbers.insert(format!("value {name}"), reason.value.0);
        }
        numbers.insert("within 3".into(), checkout.within_3min);
        numbers.insert("within 15".into(), checkout.within_15min);
        add_percentiles(&mut numbers, checkout.durations);
    }
    if let Some(response) = &window.response {
        numbers.insert("breached".into(), response.breached.unwrap_or_default());
        add_percentiles(&mut numbers, response.durations);
    }
    if let Some(service) = &window.service {
        numbers.extend(numbers_of_service(service));
    }
    if let Some(app) = &window.app {
        let counts = [("errors", app.errors), ("tasks", app.tasks), ("successes", app.successes)];
        numbers.extend(counts.map(|(name, count)| (name.to_owned(), count)));
        add_percentiles(&mut numbers, app.durations);
    }
    numbers.retain(|_, value| *value != 0);
    numbers
}

/// What tells one window from another, as text.
pub(crate) fn window_key(series: [&str; 7], window: &str, end: i64) -> String {
    format!("{} {window} {end}", series.join(" "))
}

/// Every window by the plainest way: each minute's numbers are added to each window that contains it.
pub(crate) fn expected_windows(mut deltas: Deltas, now: EventTime) -> BTreeMap<String, Numbers> {
    const MINUTE: i64 = 60_000;
    let sizes = [
        ("5m", 5, 1),
        ("1h", 60, 1),
        ("24h", 1_440, 15),
        ("7d", 10_080, 60),
        ("28d", 40_320, 1_440),
        ("90d", 129_600, 1_440),
    ];
    // Millions of additions: names are numbers until all is added up.
    let mut names: Vec<String> = Vec::new();
    let mut number_of: HashMap<String, usize> = HashMap::new();
    let mut windows: HashMap<String, BTreeMap<i64, HashMap<usize, i64>>> = HashMap::new();
    deltas
        .drain::<()>(|_, pane| {
            let Some(minute) = pane.minute else { return Ok(()) };
            if pane.metric == "quality" {
                return Ok(());
            }
            let numbers: Vec<(usize, i64)> = numbers_of_pane(pane)
                .into_iter()
                .map(|(name, value)| {
                    let number = *number_of.entry(name).or_insert_with_key(|name| {
                        names.push(name.clone());
                        names.len() - 1
                    });
                    (number, value)
                })
                .collect();
            let is_score = ["nps", "csat", "ces"].contains(&pane.metric);
            for combination in 0..8 {
                let part = |bit: i32, value| if combination & bit == 0 { value } else { "all" };
                let dimensions = [part(1, pane.touchpoint), part(2, pane.channel), part(4, pane.device)];
                for (name, size, advance) in sizes.iter().take(if is_score { 6 } else { 4 }) {
                    let newest = (now.0 / (advance * MINUTE) + 1) * advance * MINUTE;
                    let mut end = (minute.0 / (advance * MINUTE) + 1) * advance * MINUTE;
                    let [touchpoint, channel, device] = dimensions;
                    let (dimension, value) = (pane.dimension, pane.dimension_value);
                    let series = [pane.metric, pane.detail, touchpoint, channel, device, dimension, value];
                    let ends = windows.entry(window_key(series, name, 0)).or_default();
                    while end - size * MINUTE <= minute.0 && end <= newest {
                        let sum = ends.entry(end).or_default();
                        for (name, value) in &numbers {
                            *sum.entry(*name).or_insert(0) += value;
                        }
                        end += advance * MINUTE;
                    }
                }
            }
            Ok(())
        })
        .unwrap();
    let mut expected = BTreeMap::new();
    for (series, ends) in windows {
        for (end, sums) in ends {
            let numbers =
                finish(sums.into_iter().map(|(number, value)| (names[number].clone(), value)).collect());
            if !numbers.is_empty() {
                let series = series.strip_suffix('0').expect("it was made for the end 0");
                expected.insert(format!("{series}{end}"), numbers);
            }
        }
    }
    expected
}
