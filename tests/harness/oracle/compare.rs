//! Compares what ClickHouse shows with what the oracle says, and tells the first differences in words.

use std::collections::HashMap;
use std::fmt::Write as _;

use super::outcomes::{Outcome, outcomes};
use super::windows::{COUNTS, Names, Row, RowKey, Table, WINDOWS, minute_rows, window_rows};
use super::{Event, MINUTE, Touchpoints, Truth, now, rfc3339};
use crate::harness::clickhouse::ClickHouse;

/// Differences told in full.
const TOLD: usize = 4;
/// Facts shown behind a difference.
const FACTS: usize = 3;

/// The differences of one comparison; empty when everything is equal.
#[derive(Debug, Default)]
pub(crate) struct Differences {
    pub(crate) compared: usize,
    pub(crate) count: usize,
    pub(crate) told: Vec<String>,
}

impl Differences {
    pub(super) fn add(&mut self, tell: impl FnOnce() -> String) {
        self.count += 1;
        if self.told.len() < TOLD {
            self.told.push(tell());
        }
    }

    /// Of lines that should be there as often as they are: each with how many are missing, below zero when there are too many.
    pub(super) fn of_balance(compared: usize, balance: HashMap<String, i64>) -> Differences {
        let mut differences = Differences { compared, ..Differences::default() };
        let mut wrong: Vec<_> = balance.into_iter().filter(|(_, count)| *count != 0).collect();
        // Sorted, what is missing and what stands there instead come next to each other.
        wrong.sort();
        for (line, count) in wrong {
            let word = if count > 0 { "missing" } else { "too many" };
            differences.add(|| format!("  {word}: {line}"));
        }
        differences
    }
}

/// Everything that is compared, for one tenant.
pub(crate) struct Comparison<'a> {
    pub(crate) clickhouse: &'a ClickHouse,
    pub(crate) tenant: &'a str,
    pub(crate) events: &'a [Event],
    /// Windows and minutes that end later are left out: the events say only in part what is in them.
    pub(crate) as_of: i64,
}

impl Comparison<'_> {
    /// Compares every window and minute of every metric, and the facts; a text for each object that differs.
    pub(crate) fn run(&self) -> Result<usize, String> {
        let truth = Truth::of(self.events, self.as_of, &Touchpoints::default());
        let outcomes = outcomes(&truth);
        let mut compared = 0;
        let mut report = String::new();
        let mut close = |object: String, differences: Differences| {
            compared += differences.compared;
            if differences.count > 0 {
                let told = differences.told.join("\n");
                writeln!(
                    report,
                    "{object}: {} differences in {} rows\n{told}",
                    differences.count, differences.compared
                )
                .expect("writing to a string never fails");
            }
        };
        for table in Table::ALL {
            let mut names = Names::default();
            let rows = window_rows(table, &outcomes, self.as_of, &mut names);
            close(table.name().to_owned(), self.rows(table, false, rows, &mut names, &truth, &outcomes)?);
            let mut rows = minute_rows(table, &outcomes, &mut names);
            rows.retain(|key, _| key.minute < self.as_of.div_euclid(MINUTE));
            close(
                format!("{}_1m", table.name()),
                self.rows(table, true, rows, &mut names, &truth, &outcomes)?,
            );
        }
        for (object, sql, expected) in now::objects(&truth) {
            close(format!("{object} now"), self.now(&sql, &expected)?);
        }
        for (object, sql, expected) in super::facts::facts(&truth) {
            close(object.to_owned(), self.facts(&sql, expected)?);
        }
        if report.is_empty() { Ok(compared) } else { Err(report) }
    }

    fn rows(
        &self,
        table: Table,
        minutes: bool,
        mut expected: HashMap<RowKey, Row>,
        names: &mut Names,
        truth: &Truth,
        outcomes: &[Outcome],
    ) -> Result<Differences, String> {
        let mut differences = Differences::default();
        let tell = |key: &RowKey, names: &Names, said: String| {
            let [series, detail] =
                [key.series, key.detail].map(|number| names.name(number).replace('\t', "/"));
            let at = rfc3339(key.minute * MINUTE);
            let behind = self.behind(table, key, names, truth, outcomes);
            format!("  {} at {at}, {series} {detail}: {said}\n{behind}", key.window)
        };
        self.clickhouse.lines(&self.rows_sql(table, minutes), |line| {
            let (key, shown) = parse(table, line, names);
            match expected.remove(&key) {
                Some(row) => {
                    differences.compared += 1;
                    if !is_same(table, &row, &shown) {
                        differences.add(|| {
                            let names_of = table.counts();
                            tell(&key, names, format!("{names_of:?} should be {row:?}, are {shown:?}"))
                        });
                    }
                }
                None if shown.counts == [0; COUNTS] => {}
                None => differences
                    .add(|| tell(&key, names, format!("should not be there (again), is {shown:?}"))),
            }
        })?;
        let mut missing: Vec<_> = expected.into_iter().filter(|(_, row)| row.counts != [0; COUNTS]).collect();
        missing.sort_by_key(|(key, _)| *key);
        for (key, row) in missing {
            differences.add(|| tell(&key, names, format!("is missing, should be {row:?}")));
        }
        Ok(differences)
    }

    fn rows_sql(&self, table: Table, minutes: bool) -> String {
        let (window, time, ends_in_time, name) = if minutes {
            ("'1m'", "minute", "<", format!("{}_1m", table.name()))
        } else {
            ("window", "window_end", "<=", table.name().to_owned())
        };
        let details: String = table.details().iter().map(|column| format!("{column}, ")).collect();
        let counts: Vec<String> = table
            .counts()
            .iter()
            .map(|count| match *count {
                "value_sum" => "toInt64(value_sum * 10000)".to_owned(),
                count => format!("ifNull({count}, 0)"),
            })
            .chain(table.percentiles().iter().map(|percent| format!("p{percent}_s * 1000")))
            .chain(table.intervals(&[0; COUNTS]).iter().map(|(of, _)| format!("{of}ci_low, {of}ci_high")))
            .collect();
        let last = self.as_of.div_euclid(MINUTE) * 60;
        format!(
            "SELECT {window}, intDiv(toUnixTimestamp({time}), 60), touchpoint, channel, device, {details}{} \
             FROM {}.{name} WHERE tenant = '{}' AND toUnixTimestamp({time}) {ends_in_time} {last} FORMAT TabSeparated",
            counts.join(", "),
            self.clickhouse.database(),
            self.tenant,
        )
    }

    /// The facts behind a row, with their events.
    fn behind(
        &self,
        table: Table,
        key: &RowKey,
        names: &Names,
        truth: &Truth,
        outcomes: &[Outcome],
    ) -> String {
        let size = WINDOWS.iter().find(|window| window.name == key.window).map(|window| window.size);
        let minutes = size.map_or(key.minute..key.minute + 1, |size| key.minute - size..key.minute);
        let mut text = String::new();
        let mut shown = Vec::new();
        for outcome in outcomes {
            let in_series = outcome
                .dimensions
                .0
                .iter()
                .zip(names.name(key.series).split('\t'))
                .all(|(own, wanted)| wanted == "all" || wanted == own);
            let in_detail = table.part(&outcome.counts).is_some_and(|part| part.0 == names.name(key.detail));
            if shown.len() < FACTS && in_series && in_detail && minutes.contains(&outcome.minute()) {
                if shown.contains(&outcome.fact) {
                    continue;
                }
                shown.push(outcome.fact);
                let (fact, ids) = match table {
                    Table::Nps | Table::Csat | Table::Ces => {
                        (format!("{:?}", truth.answers[outcome.fact]), Vec::new())
                    }
                    Table::ResponseRates => {
                        let shown = &truth.shown[outcome.fact];
                        (format!("{shown:?}"), vec![shown.id.clone()])
                    }
                    Table::AppResponse => {
                        let event = &truth.app_events[outcome.fact];
                        (format!("{event:?}"), vec![event.id.clone()])
                    }
                    Table::ResponseTimes => (
                        format!("{:?}", truth.cycles[outcome.fact]),
                        truth.cycles[outcome.fact].event_ids.clone(),
                    ),
                    Table::ServiceQuality => (
                        format!("{:?}", truth.contacts[outcome.fact]),
                        truth.contacts[outcome.fact].event_ids.clone(),
                    ),
                    _ => (
                        format!("{:?}", truth.attempts[outcome.fact]),
                        truth.attempts[outcome.fact].event_ids.clone(),
                    ),
                };
                writeln!(text, "    {fact}").expect("writing to a string never fails");
                for event in self.events.iter().filter(|event| ids.contains(&event.id)) {
                    writeln!(text, "      {}", event.words()).expect("writing to a string never fails");
                }
            }
        }
        text
    }

    /// Compares what waits and is open now, series by series; the newest windows that have a row show it.
    fn now(&self, sql: &str, expected: &HashMap<String, i64>) -> Result<Differences, String> {
        let mut differences = Differences::default();
        let sql = sql.replace("{database}", self.clickhouse.database()).replace("{tenant}", self.tenant);
        self.clickhouse.lines(&sql, |line| {
            let (series, shown) = line.rsplit_once('\t').expect("a series and a number");
            let expected = expected.get(series).copied().unwrap_or_default().to_string();
            differences.compared += 1;
            if shown != expected {
                let series = series.replace('\t', "/");
                differences.add(|| format!("  {series}: should be {expected}, is {shown}"));
            }
        })?;
        if differences.compared == 0 {
            return Err("no newest window shows what is open now".to_owned());
        }
        Ok(differences)
    }

    /// Compares lines as a multiset.
    fn facts(&self, sql: &str, expected: Vec<String>) -> Result<Differences, String> {
        let compared = expected.len();
        let mut balance: HashMap<String, i64> = HashMap::new();
        for line in expected {
            *balance.entry(line).or_default() += 1;
        }
        let sql = sql.replace("{database}", self.clickhouse.database()).replace("{tenant}", self.tenant);
        self.clickhouse.lines(&sql, |line| *balance.entry(line.to_owned()).or_default() -= 1)?;
        Ok(Differences::of_balance(compared, balance))
    }
}

/// What ClickHouse shows of a row; percentiles in milliseconds.
#[derive(Debug)]
struct Shown {
    counts: [i64; COUNTS],
    percentiles: [Option<f64>; 4],
    /// Lower and upper ends, one after the other.
    intervals: Vec<Option<f64>>,
}

fn parse(table: Table, line: &str, names: &mut Names) -> (RowKey, Shown) {
    let fields: Vec<&str> = line.split('\t').collect();
    let ends = 2 * table.intervals(&[0; COUNTS]).len();
    let details = fields.len() - 5 - table.counts().len() - table.percentiles().len() - ends;
    let integer =
        |text: &str| -> i64 { text.parse().unwrap_or_else(|_| panic!("{text:?} is no integer in {line:?}")) };
    let window = WINDOWS.iter().map(|window| window.name).find(|name| *name == fields[0]).unwrap_or("1m");
    let key = RowKey {
        window,
        minute: integer(fields[1]),
        series: names.number(&fields[2..5].join("\t")),
        detail: names.number(&fields[5..5 + details].join("\t")),
    };
    let (fields, intervals) = fields.split_at(fields.len() - ends);
    let intervals = intervals.iter().map(|text| text.parse().ok()).collect();
    let mut shown = Shown { counts: [0; COUNTS], percentiles: [None; 4], intervals };
    let (counts, percentiles) = fields[5 + details..].split_at(table.counts().len());
    for (place, text) in shown.counts.iter_mut().zip(counts) {
        *place = integer(text);
    }
    for (place, text) in shown.percentiles.iter_mut().zip(percentiles) {
        *place = text.parse().ok();
    }
    (key, shown)
}

/// Counts exactly, percentiles within one percent, intervals but for rounding.
fn is_same(table: Table, row: &Row, shown: &Shown) -> bool {
    let intervals = table.intervals(&row.counts).into_iter();
    let ends = intervals.flat_map(|(_, ends)| [ends.map(|ends| ends.0), ends.map(|ends| ends.1)]);
    ends.zip(&shown.intervals).all(|(exact, shown)| match (exact, shown) {
        (Some(exact), Some(shown)) => (shown - exact).abs() < 1e-6,
        (None, None) => true,
        _ => false,
    }) && row.counts == shown.counts
        && row.percentiles.iter().zip(shown.percentiles).all(|(exact, shown)| match (exact, shown) {
            (Some(exact), Some(shown)) => (shown - *exact as f64).abs() <= *exact as f64 * 0.01 + 1e-6,
            (None, None) => true,
            _ => false,
        })
}
