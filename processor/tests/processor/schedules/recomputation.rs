//! The plain recomputation: facts by the rules alone, and every window as the sum of its minutes, in whatever order.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::{self, Write as _};
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
use touchstream_schemas::panes::{Bucket, Pane, ReasonCounts, Scores, ServiceCounts, metric};
use touchstream_schemas::time::EventTime;
use touchstream_schemas::windows::{Percentiles, Window};

use super::events::Everything;

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
        // A copy that came too late to be known as one is the same event all the same.
        points.dedup_by(|one, other| R::position(one) == R::position(other));
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

/// Names as numbers: there are millions of comparisons.
#[derive(Default)]
pub(crate) struct Naming {
    ids: HashMap<String, u32>,
    names: Vec<String>,
    /// Log buckets among the names.
    buckets: HashMap<u32, i32>,
    text: String,
}

impl Naming {
    pub(crate) fn id(&mut self, name: fmt::Arguments<'_>) -> u32 {
        self.text.clear();
        self.text.write_fmt(name).unwrap();
        if let Some(id) = self.ids.get(&self.text) {
            return *id;
        }
        let id = u32::try_from(self.names.len()).unwrap();
        self.names.push(self.text.clone());
        self.ids.insert(self.text.clone(), id);
        id
    }

    fn bucket(&mut self, index: i32) -> u32 {
        let id = self.id(format_args!("bucket {index}"));
        self.buckets.insert(id, index);
        id
    }

    /// In words.
    pub(crate) fn tell(&self, numbers: Option<&Numbers>) -> Vec<String> {
        let word = |(id, value): &(u32, i64)| format!("{}: {value}", self.names[*id as usize]);
        numbers.map_or_else(|| vec!["nothing".to_owned()], |numbers| numbers.iter().map(word).collect())
    }

    /// Which window, in words.
    pub(crate) fn tell_window(&self, (series, size, end): WindowKey) -> String {
        format!("{} {size} {end}", self.names[series as usize])
    }
}

/// Numbers of a window in order of their names; zeros are left out.
pub(crate) type Numbers = Vec<(u32, i64)>;

/// Series, size and end.
pub(crate) type WindowKey = (u32, &'static str, i64);

fn add(numbers: &mut Numbers, id: u32, value: i64) {
    match numbers.binary_search_by_key(&id, |(id, _)| *id) {
        Ok(place) => numbers[place].1 += value,
        Err(place) => numbers.insert(place, (id, value)),
    }
}

fn numbers_of_pane(pane: &Pane<'_>, naming: &mut Naming) -> Numbers {
    let mut numbers = Numbers::new();
    if let Some(scores) = pane.scores {
        add_scores(&mut numbers, scores, naming);
    }
    if let Some(checkout) = &pane.checkout {
        add_checkout(&mut numbers, (&checkout.reasons, checkout.within_3min, checkout.within_15min), naming);
        for step in &checkout.steps {
            add(&mut numbers, naming.id(format_args!("step {} reached", step.step)), step.reached);
            add(&mut numbers, naming.id(format_args!("step {} dropped", step.step)), step.dropped);
        }
    }
    if let Some(response) = &pane.response {
        add(&mut numbers, naming.id(format_args!("breached")), response.breached);
    }
    if let Some(service) = &pane.service {
        add_service(&mut numbers, *service, naming);
    }
    if let Some(app) = &pane.app {
        add_app(&mut numbers, [app.errors, app.tasks, app.successes], naming);
    }
    let durations = (pane.checkout.iter().map(|checkout| &checkout.durations))
        .chain(pane.response.iter().map(|response| &response.durations))
        .chain(pane.app.iter().map(|app| &app.durations));
    for bucket in durations.flatten() {
        add(&mut numbers, naming.bucket(bucket.index), bucket.count);
    }
    numbers
}

fn add_scores(numbers: &mut Numbers, scores: Scores, naming: &mut Naming) {
    add(numbers, naming.id(format_args!("answers")), scores.answers);
    add(numbers, naming.id(format_args!("top")), scores.top);
    add(numbers, naming.id(format_args!("bottom")), scores.bottom);
}

fn add_checkout(
    numbers: &mut Numbers,
    (reasons, within_3min, within_15min): (&[ReasonCounts<'_>], i64, i64),
    naming: &mut Naming,
) {
    for ReasonCounts { reason, reason_source, currency, attempts, value } in reasons {
        let name = format_args!("reason {reason} {reason_source} {currency}");
        add(numbers, naming.id(name), *attempts);
        add(numbers, naming.id(format_args!("value {reason} {reason_source} {currency}")), value.0);
    }
    add(numbers, naming.id(format_args!("within 3")), within_3min);
    add(numbers, naming.id(format_args!("within 15")), within_15min);
}

fn add_app(numbers: &mut Numbers, counts: [i64; 3], naming: &mut Naming) {
    for (name, count) in ["errors", "tasks", "successes"].into_iter().zip(counts) {
        add(numbers, naming.id(format_args!("{name}")), count);
    }
}

fn add_service(numbers: &mut Numbers, counts: ServiceCounts, naming: &mut Naming) {
    let ServiceCounts { conversations, bot, contained, returned, handoffs, .. } = counts;
    let ServiceCounts { human_requests, human_reached, bot_loops, reasked, reopened, .. } = counts;
    let named = [
        ("conversations", conversations),
        ("bot", bot),
        ("contained", contained),
        ("returned", returned),
        ("handoffs", handoffs),
        ("human_requests", human_requests),
        ("human_reached", human_reached),
        ("bot_loops", bot_loops),
        ("reasked", reasked),
        ("reopened", reopened),
    ];
    for (name, count) in named {
        add(numbers, naming.id(format_args!("{name}")), count);
    }
}

/// Replaces buckets by what windows show of them.
fn finish(mut numbers: Numbers, naming: &mut Naming) -> Numbers {
    let mut buckets = Vec::new();
    numbers.retain(|(id, count)| match naming.buckets.get(id) {
        Some(index) => {
            buckets.push(Bucket { index: *index, count: *count });
            false
        }
        None => true,
    });
    buckets.sort_by_key(|bucket| bucket.index);
    let at = |percent| log_buckets::percentile(&buckets, percent);
    let n = buckets.iter().map(|bucket| bucket.count).sum();
    let percentiles = Percentiles { n, p50_ms: at(50), p75_ms: at(75), p95_ms: at(95), p99_ms: at(99) };
    add_percentiles(&mut numbers, percentiles, naming);
    numbers.retain(|(_, value)| *value != 0);
    numbers
}

fn add_percentiles(numbers: &mut Numbers, shown: Percentiles, naming: &mut Naming) {
    let Percentiles { n, p50_ms, p75_ms, p95_ms, p99_ms } = shown;
    let values = [("n", Some(n)), ("p50", p50_ms), ("p75", p75_ms), ("p95", p95_ms), ("p99", p99_ms)];
    for (name, value) in values {
        add(numbers, naming.id(format_args!("{name}")), value.unwrap_or_default());
    }
}

/// The numbers that a window shows.
pub(crate) fn numbers_of_window(window: &Window<'_>, naming: &mut Naming) -> Numbers {
    let mut numbers = Numbers::new();
    if let Some(scores) = window.scores {
        add_scores(&mut numbers, scores, naming);
    }
    if let Some(checkout) = &window.checkout {
        for step in &checkout.steps {
            add(&mut numbers, naming.id(format_args!("step {} reached", step.step)), step.reached);
            add(&mut numbers, naming.id(format_args!("step {} dropped", step.step)), step.dropped);
        }
        add_checkout(&mut numbers, (&checkout.reasons, checkout.within_3min, checkout.within_15min), naming);
        add_percentiles(&mut numbers, checkout.durations, naming);
    }
    if let Some(response) = &window.response {
        add(&mut numbers, naming.id(format_args!("breached")), response.breached.unwrap_or_default());
        add_percentiles(&mut numbers, response.durations, naming);
    }
    if let Some(service) = &window.service {
        add_service(&mut numbers, *service, naming);
    }
    if let Some(app) = &window.app {
        add_app(&mut numbers, [app.errors, app.tasks, app.successes], naming);
        add_percentiles(&mut numbers, app.durations, naming);
    }
    numbers.retain(|(_, value)| *value != 0);
    numbers
}

/// Sizes in minutes, with their advance.
const SIZES: [(&str, i64, i64); 6] = [
    ("5m", 5, 1),
    ("1h", 60, 1),
    ("24h", 1_440, 15),
    ("7d", 10_080, 60),
    ("28d", 40_320, 1_440),
    ("90d", 129_600, 1_440),
];

/// What tells one window from another.
pub(crate) fn window_key(series: [&str; 7], window: &str, end: i64, naming: &mut Naming) -> WindowKey {
    let size = SIZES.iter().find(|(size, ..)| *size == window).unwrap().0;
    let [metric, detail, touchpoint, channel, device, dimension, value] = series;
    let name = format_args!("{metric} {detail} {touchpoint} {channel} {device} {dimension} {value}");
    (naming.id(name), size, end)
}

/// Every window by the plainest way: each minute's numbers are added to each window that contains it.
pub(crate) fn expected_windows(
    mut deltas: Deltas,
    now: EventTime,
    naming: &mut Naming,
) -> HashMap<WindowKey, Numbers> {
    const MINUTE: i64 = 60_000;
    let mut windows: HashMap<WindowKey, Numbers> = HashMap::new();
    deltas
        .drain::<()>(|_, pane| {
            let Some(minute) = pane.minute.filter(|_| pane.metric != metric::QUALITY) else { return Ok(()) };
            let numbers = numbers_of_pane(pane, naming);
            let is_score = [metric::NPS, metric::CSAT, metric::CES].contains(&pane.metric);
            for combination in 0..8 {
                let part = |bit: i32, value| if combination & bit == 0 { value } else { "all" };
                let [touchpoint, channel, device] =
                    [part(1, pane.touchpoint), part(2, pane.channel), part(4, pane.device)];
                let (dimension, value) = (pane.dimension, pane.dimension_value);
                let series = [pane.metric, pane.detail, touchpoint, channel, device, dimension, value];
                for (name, size, advance) in SIZES.iter().take(if is_score { 6 } else { 4 }) {
                    let newest = (now.0 / (advance * MINUTE) + 1) * advance * MINUTE;
                    let mut end = (minute.0 / (advance * MINUTE) + 1) * advance * MINUTE;
                    let (series, ..) = window_key(series, name, 0, naming);
                    while end - size * MINUTE <= minute.0 && end <= newest {
                        let sum = windows.entry((series, *name, end)).or_default();
                        numbers.iter().for_each(|(id, value)| add(sum, *id, *value));
                        end += advance * MINUTE;
                    }
                }
            }
            Ok(())
        })
        .unwrap();
    for numbers in windows.values_mut() {
        *numbers = finish(std::mem::take(numbers), naming);
    }
    windows.retain(|_, numbers| !numbers.is_empty());
    windows
}
