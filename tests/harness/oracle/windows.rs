//! Every row of every window object: which outcomes lie in it, counted one stream (series and detail) after the other.

use std::collections::{BTreeMap, HashMap};

use super::outcomes::{Counted, Outcome};

/// A rolling window's size and the distance between two ends, in minutes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WindowSize {
    pub(crate) name: &'static str,
    pub(crate) size: i64,
    advance: i64,
    scores_only: bool,
}

pub(crate) const WINDOWS: [WindowSize; 6] = [
    WindowSize { name: "5m", size: 5, advance: 1, scores_only: false },
    WindowSize { name: "1h", size: 60, advance: 1, scores_only: false },
    WindowSize { name: "24h", size: 24 * 60, advance: 15, scores_only: false },
    WindowSize { name: "7d", size: 7 * 24 * 60, advance: 60, scores_only: false },
    WindowSize { name: "28d", size: 28 * 24 * 60, advance: 24 * 60, scores_only: true },
    WindowSize { name: "90d", size: 90 * 24 * 60, advance: 24 * 60, scores_only: true },
];

/// Counts of a row, at most.
pub(crate) const COUNTS: usize = 10;

/// The window objects of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Table {
    Nps,
    Csat,
    Ces,
    ResponseRates,
    AppResponse,
    Funnel,
    Abandonment,
    Duration,
    ResponseTimes,
    ServiceQuality,
}

impl Table {
    pub(crate) const ALL: [Table; 10] = [
        Table::Nps,
        Table::Csat,
        Table::Ces,
        Table::ResponseRates,
        Table::AppResponse,
        Table::Funnel,
        Table::Abandonment,
        Table::Duration,
        Table::ResponseTimes,
        Table::ServiceQuality,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Table::Nps => "nps",
            Table::Csat => "csat",
            Table::Ces => "ces",
            Table::ResponseRates => "response_rates",
            Table::AppResponse => "app_response",
            Table::Funnel => "checkout_funnel",
            Table::Abandonment => "checkout_abandonment",
            Table::Duration => "checkout_duration",
            Table::ResponseTimes => "response_times",
            Table::ServiceQuality => "service_quality",
        }
    }

    fn is_score(self) -> bool {
        matches!(self, Table::Nps | Table::Csat | Table::Ces)
    }

    /// The key columns that tell rows of a series apart.
    pub(crate) fn details(self) -> &'static [&'static str] {
        match self {
            Table::Nps | Table::ResponseRates | Table::Duration | Table::ServiceQuality => &[],
            Table::Csat | Table::Ces => &["scale"],
            Table::AppResponse => &["name"],
            Table::Funnel => &["step", "step_index"],
            Table::Abandonment => &["reason", "reason_source", "currency"],
            Table::ResponseTimes => &["metric"],
        }
    }

    /// Names of the counts of a row, in the order of [`Row::counts`].
    pub(crate) fn counts(self) -> &'static [&'static str] {
        match self {
            Table::Nps => &["n", "promoters_n", "passives_n", "detractors_n"],
            Table::Csat | Table::Ces => &["n", "satisfied_n"],
            Table::ResponseRates => &["shown_n", "answered_n"],
            Table::AppResponse => &["n", "errors_n", "tasks_n", "successes_n"],
            Table::Funnel => &["reached_n", "dropped_n"],
            Table::Abandonment => &["n", "value_sum"],
            Table::Duration => &["n", "within_3min_n", "within_15min_n"],
            Table::ResponseTimes => &["n", "breached_n"],
            Table::ServiceQuality => &[
                "conversations_n",
                "bot_n",
                "contained_n",
                "contained_net_n",
                "handoffs_n",
                "human_requests_n",
                "human_reached_n",
                "bot_loops_n",
                "reasked_n",
                "reopened_n",
            ],
        }
    }

    /// The percentiles that a row shows.
    pub(crate) fn percentiles(self) -> &'static [usize] {
        match self {
            Table::Nps | Table::Csat | Table::Ces | Table::ResponseRates => &[],
            Table::Funnel | Table::Abandonment | Table::ServiceQuality => &[],
            Table::AppResponse => &[50, 95, 99],
            Table::Duration => &[50, 75, 95],
            Table::ResponseTimes => &[50, 75, 95, 99],
        }
    }

    /// What an outcome adds to this table: the detail of its row (its further key columns, tab-separated), counts, a duration.
    pub(crate) fn part(self, counted: &Counted) -> Option<(String, [i64; COUNTS], Option<i64>)> {
        let index_text =
            |index: &Option<i64>| index.map_or_else(|| "\\N".to_owned(), |index| index.to_string());
        match (self, counted) {
            (Table::Nps, Counted::Score(score)) => {
                let class = |range: std::ops::RangeInclusive<i64>| i64::from(range.contains(score));
                Some((String::new(), counts([1, class(9..=10), class(7..=8), class(0..=6)]), None))
            }
            (Table::Csat | Table::Ces, Counted::Share(metric, scale, is_good)) if *metric == self.name() => {
                Some((scale.clone(), counts([1, i64::from(*is_good)]), None))
            }
            (Table::ResponseRates, Counted::Shown(is_answered)) => {
                Some((String::new(), counts([1, i64::from(*is_answered)]), None))
            }
            (Table::AppResponse, Counted::Response(name, took, is_error)) => {
                Some((name.clone(), counts([1, i64::from(*is_error)]), Some(*took)))
            }
            (Table::AppResponse, Counted::Task(name, is_success)) => {
                Some((name.clone(), counts([0, 0, 1, i64::from(*is_success)]), None))
            }
            (Table::Funnel, Counted::Step { step, index, dropped }) => {
                let dropped = i64::from(*dropped && index.is_some());
                Some((format!("{step}\t{}", index_text(index)), counts([1, dropped]), None))
            }
            (Table::Abandonment, Counted::Reason { reason, source, currency, value }) => {
                Some((format!("{reason}\t{source}\t{currency}"), counts([1, *value]), None))
            }
            (Table::Duration, Counted::Duration(duration)) => {
                let within = |minutes: i64| i64::from(*duration <= minutes * super::MINUTE);
                Some((String::new(), counts([1, within(3), within(15)]), Some(*duration)))
            }
            (Table::ResponseTimes, Counted::Wait(metric, waited)) => {
                Some(((*metric).to_owned(), counts([1]), Some(*waited)))
            }
            (Table::ResponseTimes, Counted::Breach(metric)) => {
                Some(((*metric).to_owned(), counts([0, 1]), None))
            }
            (Table::ServiceQuality, Counted::Service(counted)) => Some((String::new(), *counted, None)),
            _ => None,
        }
    }
}

/// The first counts of a row; the others are zero.
fn counts<const N: usize>(first: [i64; N]) -> [i64; COUNTS] {
    let mut counts = [0; COUNTS];
    counts[..N].copy_from_slice(&first);
    counts
}

/// Key of a row. `series` is touchpoint, channel and device, `detail` the further key columns, each tab-separated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct RowKey {
    pub(crate) window: &'static str,
    /// End of the window, or start of the minute, in minutes since 1970.
    pub(crate) minute: i64,
    pub(crate) series: u32,
    pub(crate) detail: u32,
}

/// A row: counts in the order of [`Table::counts`], percentiles in that of [`Table::percentiles`], in milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) counts: [i64; COUNTS],
    pub(crate) percentiles: [Option<i64>; 4],
}

impl Table {
    /// The 95 % intervals that a row shows, each by the prefix of its two columns and worked out from the counts.
    pub(crate) fn intervals(self, counts: &[i64; COUNTS]) -> Vec<(&'static str, Option<(f64, f64)>)> {
        match self {
            Table::Nps => vec![("", nps_interval(counts[0], counts[1], counts[3]))],
            Table::Csat | Table::Ces | Table::ResponseRates | Table::Funnel => {
                vec![("", wilson(counts[1], counts[0]))]
            }
            Table::AppResponse => {
                vec![("error_", wilson(counts[1], counts[0])), ("success_", wilson(counts[3], counts[2]))]
            }
            Table::ServiceQuality => vec![
                ("containment_", wilson(counts[2], counts[1])),
                ("containment_net_", wilson(counts[3], counts[1])),
                ("human_reached_", wilson(counts[6], counts[5])),
            ],
            Table::Abandonment | Table::Duration | Table::ResponseTimes => Vec::new(),
        }
    }
}

/// Wilson's interval of `hits` out of `n`.
fn wilson(hits: i64, n: i64) -> Option<(f64, f64)> {
    const Z: f64 = 1.96;
    let (share, n) = (hits as f64 / n as f64, n as f64);
    let center = (share + Z * Z / (2.0 * n)) / (1.0 + Z * Z / n);
    let half = Z / (1.0 + Z * Z / n) * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    (n > 0.0).then(|| ((center - half).max(0.0), (center + half).min(1.0)))
}

/// The adjusted Wald interval of the net promoter score.
fn nps_interval(n: i64, promoters: i64, detractors: i64) -> Option<(f64, f64)> {
    let all = n as f64 + 3.0;
    let (p, d) = ((promoters as f64 + 0.75) / all, (detractors as f64 + 0.75) / all);
    let half = 1.96 * ((p + d - (p - d).powi(2)) / all).sqrt();
    (n > 0).then(|| ((100.0 * (p - d - half)).max(-100.0), (100.0 * (p - d + half)).min(100.0)))
}

/// Texts by number, so that millions of keys stay small.
#[derive(Debug, Default)]
pub(crate) struct Names {
    numbers: HashMap<String, u32>,
    names: Vec<String>,
}

impl Names {
    pub(crate) fn number(&mut self, name: &str) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = u32::try_from(self.names.len()).expect("names are few");
        self.names.push(name.to_owned());
        self.numbers.insert(name.to_owned(), number);
        number
    }

    pub(crate) fn name(&self, number: u32) -> &str {
        &self.names[number as usize]
    }
}

/// What one outcome adds to a stream.
struct Item {
    minute: i64,
    counts: [i64; COUNTS],
    duration: Option<i64>,
}

/// All rows of a window object whose windows end at or before `as_of` (milliseconds).
pub(crate) fn window_rows(
    table: Table,
    outcomes: &[Outcome],
    as_of: i64,
    names: &mut Names,
) -> HashMap<RowKey, Row> {
    let mut rows = HashMap::new();
    for ((series, detail), items) in streams(table, outcomes, names, true) {
        for window in WINDOWS.iter().filter(|window| !window.scores_only || table.is_score()) {
            let last_end = as_of.div_euclid(super::MINUTE);
            slide(table, window, &items, last_end, |minute, row| {
                rows.insert(RowKey { window: window.name, minute, series, detail }, row);
            });
        }
    }
    rows
}

/// All rows of a `_1m` object.
pub(crate) fn minute_rows(table: Table, outcomes: &[Outcome], names: &mut Names) -> HashMap<RowKey, Row> {
    let mut rows = HashMap::new();
    for ((series, detail), items) in streams(table, outcomes, names, false) {
        for items in items.chunk_by(|one, other| one.minute == other.minute) {
            let key = RowKey { window: "1m", minute: items[0].minute, series, detail };
            rows.insert(key, row_of(table, items.iter()));
        }
    }
    rows
}

/// Items by series and detail, each stream in order of time; with `all` in every combination if `with_all`.
fn streams(
    table: Table,
    outcomes: &[Outcome],
    names: &mut Names,
    with_all: bool,
) -> BTreeMap<(u32, u32), Vec<Item>> {
    let mut streams: BTreeMap<(u32, u32), Vec<Item>> = BTreeMap::new();
    for outcome in outcomes {
        let Some((detail, counts, duration)) = table.part(&outcome.counts) else { continue };
        let detail = names.number(&detail);
        for mask in 0..if with_all { 8 } else { 1 } {
            let shown = |place: usize| {
                if mask & (1 << place) == 0 { outcome.dimensions.0[place].as_str() } else { "all" }
            };
            let series = names.number(&[shown(0), shown(1), shown(2)].join("\t"));
            streams.entry((series, detail)).or_default().push(Item {
                minute: outcome.minute(),
                counts,
                duration,
            });
        }
    }
    for items in streams.values_mut() {
        items.sort_by_key(|item| item.minute);
    }
    streams
}

/// Moves a window over the items of one stream and hands out each row that has something in it.
fn slide(table: Table, window: &WindowSize, items: &[Item], last_end: i64, mut emit: impl FnMut(i64, Row)) {
    let mut inside = Inside::default();
    let (mut entered, mut left) = (0, 0);
    let mut end = next_end(window, items[0].minute);
    while end <= last_end {
        while entered < items.len() && items[entered].minute < end {
            inside.add(&items[entered]);
            entered += 1;
        }
        while left < entered && items[left].minute < end - window.size {
            inside.remove(&items[left]);
            left += 1;
        }
        if left < entered {
            emit(end, inside.row(table));
            end += window.advance;
        } else if entered < items.len() {
            end = next_end(window, items[entered].minute);
        } else {
            return;
        }
    }
}

/// The first end of a window that contains this minute.
fn next_end(window: &WindowSize, minute: i64) -> i64 {
    (minute.div_euclid(window.advance) + 1) * window.advance
}

fn row_of<'a>(table: Table, items: impl Iterator<Item = &'a Item>) -> Row {
    let mut inside = Inside::default();
    items.for_each(|item| inside.add(item));
    inside.row(table)
}

/// What lies in a window: sums, and all durations in order.
#[derive(Default)]
struct Inside {
    counts: [i64; COUNTS],
    durations: Vec<i64>,
}

impl Inside {
    fn add(&mut self, item: &Item) {
        for (sum, count) in self.counts.iter_mut().zip(item.counts) {
            *sum += count;
        }
        if let Some(duration) = item.duration {
            let position = self.durations.partition_point(|other| *other < duration);
            self.durations.insert(position, duration);
        }
    }

    fn remove(&mut self, item: &Item) {
        for (sum, count) in self.counts.iter_mut().zip(item.counts) {
            *sum -= count;
        }
        if let Some(duration) = item.duration {
            let position = self.durations.partition_point(|other| *other < duration);
            self.durations.remove(position);
        }
    }

    fn row(&self, table: Table) -> Row {
        let mut percentiles = [None; 4];
        for (place, percent) in percentiles.iter_mut().zip(table.percentiles()) {
            // Nearest rank: the smallest value such that at least this share of all is not above it.
            let rank = (percent * self.durations.len()).div_ceil(100);
            *place = rank.checked_sub(1).map(|position| self.durations[position]);
        }
        Row { counts: self.counts, percentiles }
    }
}

#[test]
fn a_window_holds_what_happened_in_it_and_percentiles_are_nearest_rank() {
    let at = |minute: i64, waited: i64| Outcome {
        at: minute * super::MINUTE + 59_999,
        dimensions: super::Dimensions(["support", "chat", "mobile"].map(str::to_owned)),
        counts: Counted::Wait("reply", waited),
        fact: 0,
    };
    let mut names = Names::default();
    let outcomes = [at(10, 100), at(10, 300), at(12, 200), at(40, 7)];
    let rows = window_rows(Table::ResponseTimes, &outcomes, 60 * super::MINUTE, &mut names);
    let mut row = |window, minute, series: &str| {
        let key = RowKey { window, minute, series: names.number(series), detail: names.number("reply") };
        rows.get(&key).map(|row| (row.counts[0], row.percentiles[0], row.percentiles[3]))
    };
    assert_eq!(row("5m", 10, "support\tchat\tmobile"), None, "the end is exclusive");
    assert_eq!(row("5m", 11, "support\tchat\tmobile"), Some((2, Some(100), Some(300))));
    assert_eq!(row("5m", 15, "support\tall\tmobile"), Some((3, Some(200), Some(300))));
    assert_eq!(row("5m", 16, "all\tall\tall"), Some((1, Some(200), Some(200))));
    assert_eq!(row("5m", 18, "all\tall\tall"), None);
    assert_eq!(row("1h", 60, "all\tall\tall"), Some((4, Some(100), Some(300))));
    assert_eq!(row("24h", 15, "all\tall\tall"), Some((3, Some(200), Some(300))));
    assert_eq!(row("24h", 75, "all\tall\tall"), None, "it ends after what was asked for");
}
