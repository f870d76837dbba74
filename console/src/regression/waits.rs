//! Waits before and since: a histogram, percentiles, and the same by device and channel, of log buckets that merge exactly.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use touchstream_schemas::log_buckets;
use touchstream_schemas::panes::Bucket;

/// Longest waits of the bars, in seconds: as people say times.
const BARS_S: [i64; 22] = [
    5, 10, 15, 30, 60, 120, 180, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 28_800, 43_200, 86_400, 172_800,
    345_600, 604_800, 1_209_600, 2_592_000,
];

/// Waits of one channel and device, as ClickHouse adds them up.
#[derive(Debug, Deserialize)]
struct Row {
    channel: String,
    device: String,
    is_since: u8,
    breached_n: i64,
    buckets: Vec<i32>,
    counts: Vec<i64>,
}

/// One side.
#[derive(Debug, Default)]
struct Waits {
    buckets: BTreeMap<i32, i64>,
    breached: i64,
}

#[derive(Debug, Default, PartialEq, Serialize)]
struct Summary {
    n: i64,
    p50_s: Option<f64>,
    p95_s: Option<f64>,
    breached_n: i64,
}

#[derive(Debug, PartialEq, Serialize)]
struct Bar {
    /// Waits up to this long, and longer than the bar before; none for all longer ones.
    to_s: Option<i64>,
    before_n: i64,
    since_n: i64,
}

#[derive(Debug, Serialize)]
struct Part {
    dimension: &'static str,
    part: String,
    before_n: i64,
    since_n: i64,
    before_value: Option<f64>,
    since_value: Option<f64>,
}

#[derive(Debug, Serialize)]
struct Comparison {
    before: Summary,
    since: Summary,
    bars: Vec<Bar>,
    parts: Vec<Part>,
}

impl Waits {
    fn add(&mut self, row: &Row) {
        self.breached += row.breached_n;
        for (bucket, count) in row.buckets.iter().zip(&row.counts) {
            *self.buckets.entry(*bucket).or_default() += count;
        }
    }

    fn summary(&self) -> Summary {
        let buckets: Vec<Bucket> =
            self.buckets.iter().map(|(index, count)| Bucket { index: *index, count: *count }).collect();
        let seconds =
            |percent| log_buckets::percentile(&buckets, percent).map(|found| found as f64 / 1_000.0);
        Summary {
            n: self.buckets.values().sum(),
            p50_s: seconds(50),
            p95_s: seconds(95),
            breached_n: self.breached,
        }
    }

    /// Counts by bar; the last holds what is longer than all.
    fn bars(&self) -> [i64; BARS_S.len() + 1] {
        let mut bars = [0; BARS_S.len() + 1];
        for (bucket, count) in &self.buckets {
            let milliseconds = log_buckets::value_of(*bucket);
            bars[BARS_S.partition_point(|bar| bar * 1_000 < milliseconds)] += count;
        }
        bars
    }
}

/// The comparison as JSON, of the rows of `waits.sql`.
pub(super) fn compare(rows: &str) -> Result<String, serde_json::Error> {
    let rows: Vec<Row> = serde_json::from_str(rows)?;
    let mut sides = [Waits::default(), Waits::default()];
    let mut parts: BTreeMap<(&str, &str), [Waits; 2]> = BTreeMap::new();
    for row in &rows {
        let side = usize::from(row.is_since.min(1));
        sides[side].add(row);
        parts.entry(("channel", &row.channel)).or_default()[side].add(row);
        parts.entry(("device", &row.device)).or_default()[side].add(row);
    }
    let [before, since] = &sides;
    let comparison = Comparison {
        before: before.summary(),
        since: since.summary(),
        bars: bars(before, since),
        parts: parts.into_iter().map(|(key, sides)| part(key, &sides)).collect(),
    };
    serde_json::to_string(&comparison)
}

/// Bars from the first to the last that has any wait.
fn bars(before: &Waits, since: &Waits) -> Vec<Bar> {
    let (before, since) = (before.bars(), since.bars());
    let is_any = |place: &usize| before[*place] + since[*place] > 0;
    let first = (0..before.len()).find(is_any);
    let last = (0..before.len()).rev().find(is_any);
    let (Some(first), Some(last)) = (first, last) else { return Vec::new() };
    let bar = |place: usize| Bar {
        to_s: BARS_S.get(place).copied(),
        before_n: before[place],
        since_n: since[place],
    };
    (first..=last).map(bar).collect()
}

fn part((dimension, part): (&str, &str), [before, since]: &[Waits; 2]) -> Part {
    let (before, since) = (before.summary(), since.summary());
    Part {
        dimension: if dimension == "device" { "device" } else { "channel" },
        part: part.to_owned(),
        before_n: before.n,
        since_n: since.n,
        before_value: before.p95_s,
        since_value: since.p95_s,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_compared_by_bar_percentile_and_part() {
        let bucket = log_buckets::index_of;
        let rows = format!(
            r#"[{{"channel":"chat","device":"mobile","is_since":0,"breached_n":0,"buckets":[{},{}],"counts":[90,10]}},
                {{"channel":"chat","device":"mobile","is_since":1,"breached_n":7,"buckets":[{}],"counts":[20]}},
                {{"channel":"chat","device":"desktop","is_since":1,"breached_n":0,"buckets":[{}],"counts":[5]}}]"#,
            bucket(20_000),
            bucket(100_000),
            bucket(500_000),
            bucket(20_000)
        );
        let found: serde_json::Value = serde_json::from_str(&compare(&rows).unwrap()).unwrap();
        assert_eq!(
            [&found["before"]["n"], &found["since"]["n"]],
            [&100.into(), &25.into()] as [&serde_json::Value; 2]
        );
        assert_eq!(found["since"]["breached_n"], 7);
        let close = |value: &serde_json::Value, to: f64| (value.as_f64().unwrap() - to).abs() <= 0.01 * to;
        assert!(close(&found["before"]["p50_s"], 20.0) && close(&found["before"]["p95_s"], 100.0), "{found}");
        assert!(close(&found["since"]["p50_s"], 500.0), "{found}");
        let of =
            |bar: &serde_json::Value| ["to_s", "before_n", "since_n"].map(|name| bar[name].as_i64().unwrap());
        let bars: Vec<_> = found["bars"].as_array().unwrap().iter().map(of).collect();
        assert_eq!(bars, [[30, 90, 5], [60, 0, 0], [120, 10, 0], [180, 0, 0], [300, 0, 0], [600, 0, 20]]);
        let mobile = found["parts"].as_array().unwrap().iter().find(|part| part["part"] == "mobile").unwrap();
        assert!(close(&mobile["since_value"], 500.0), "{found}");
        let none: serde_json::Value = serde_json::from_str(&compare("[]").unwrap()).unwrap();
        assert_eq!((none["since"]["n"].as_i64(), none["bars"].as_array().unwrap().len()), (Some(0), 0));
    }
}
