//! What a replay asks of ClickHouse, table by table. The tables differ in their columns only: which of them are the key and which have to
//! be empty in an empty row is asked of ClickHouse itself.

use super::ReplayedPeriod;

/// What a row of a table is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A fact, which belongs to the period that the time in this column lies in.
    Fact(&'static str),
    /// A minute.
    Minute,
    /// A rolling window.
    Window,
}

/// A table of results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ResultTable {
    pub(super) name: &'static str,
    kind: Kind,
}

/// All tables of results.
pub(super) const RESULTS: [ResultTable; 18] = {
    const fn of(name: &'static str, kind: Kind) -> ResultTable {
        ResultTable { name, kind }
    }
    [
        of("store_checkouts", Kind::Fact("started_at")),
        of("store_conversations", Kind::Fact("started_at")),
        of("store_answers", Kind::Fact("time")),
        of("store_score_windows", Kind::Window),
        of("store_checkout_windows", Kind::Window),
        of("store_response_windows", Kind::Window),
        of("store_service_windows", Kind::Window),
        of("store_app_windows", Kind::Window),
        of("store_score_windows_by", Kind::Window),
        of("store_checkout_windows_by", Kind::Window),
        of("store_response_windows_by", Kind::Window),
        of("store_service_windows_by", Kind::Window),
        of("store_app_windows_by", Kind::Window),
        of("store_score_minutes", Kind::Minute),
        of("store_checkout_minutes", Kind::Minute),
        of("store_response_minutes", Kind::Minute),
        of("store_service_minutes", Kind::Minute),
        of("store_app_minutes", Kind::Minute),
    ]
};

/// Columns that say how a row came about, or what is open at this moment, not what was counted.
const NOT_COUNTED: [&str; 5] = ["revision", "is_final", "is_deleted", "step_open", "waiting"];

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ColumnOf {
    name: String,
    kind: String,
    is_key: bool,
}

impl ColumnOf {
    /// Reads a row of the answer to [`columns`].
    pub(super) fn parse(row: &[String]) -> Option<ColumnOf> {
        let [name, kind, is_key] = row else { return None };
        Some(ColumnOf { name: name.clone(), kind: kind.clone(), is_key: is_key == "1" })
    }

    /// Whether the column has the value that a row without anything has.
    fn is_empty(&self) -> String {
        let ColumnOf { name, kind, .. } = self;
        if kind.contains("Nullable(") && !kind.starts_with("Array(") {
            format!("isNull({name})")
        } else if kind.starts_with("Array(") || kind.starts_with("Map(") {
            format!("empty({name})")
        } else {
            format!("{name} = defaultValueOfTypeName('{}')", kind.replace('\'', "\\'"))
        }
    }
}

/// Asks for the columns of a table.
pub(super) fn columns(database: &str, table: ResultTable) -> String {
    // A tab-separated answer escapes quotes.
    format!(
        "SELECT name, replaceAll(type, '\\'', ''), is_in_sorting_key FROM system.columns \
         WHERE database = '{database}' AND table = '{}' ORDER BY position",
        table.name
    )
}

fn list<'c>(columns: impl Iterator<Item = &'c ColumnOf>) -> String {
    columns.map(|column| column.name.as_str()).collect::<Vec<_>>().join(", ")
}

impl ResultTable {
    fn in_period(self, period: ReplayedPeriod) -> String {
        // Milliseconds beyond what a time can hold stand for "without end".
        let milliseconds = [period.from.0, period.to.0].map(|time| time.clamp(0, 4_000_000_000_000));
        let [from, to] = milliseconds;
        let [from_s, to_s] = milliseconds.map(|time| time / 1_000);
        match self.kind {
            Kind::Fact(time) => {
                format!("toUnixTimestamp64Milli({time}) >= {from} AND toUnixTimestamp64Milli({time}) < {to}")
            }
            Kind::Minute => {
                format!("toUnixTimestamp(minute) >= {from_s} AND toUnixTimestamp(minute) < {to_s}")
            }
            Kind::Window => format!(
                "toUnixTimestamp(window_end) <= {to_s} AND toInt64(toUnixTimestamp(window_end)) - transform(window, \
                 ['5m', '1h', '24h', '7d', '28d', '90d'], [300, 3600, 86400, 604800, 2419200, 7776000], 0) >= {from_s}"
            ),
        }
    }

    /// Makes an empty row for every row of the period that the replay did not make; a window that reaches beyond the period stays.
    pub(super) fn vanish(
        self,
        database: &str,
        prefix: &str,
        columns: &[ColumnOf],
        period: ReplayedPeriod,
        revision: i64,
    ) -> String {
        let keys = list(columns.iter().filter(|column| column.is_key));
        let name = self.name;
        let (mark, value) = match self.kind {
            Kind::Fact(_) => (", is_deleted", ", 1"),
            Kind::Minute => ("", ""),
            Kind::Window => (", is_final", ", is_final"),
        };
        let nothing: Vec<String> = columns
            .iter()
            .filter(|column| !column.is_key && !NOT_COUNTED.contains(&column.name.as_str()))
            .map(ColumnOf::is_empty)
            .collect();
        let something = match self.kind {
            Kind::Fact(_) => "1".to_owned(),
            _ => format!("NOT ({})", nothing.join(" AND ")),
        };
        format!(
            "INSERT INTO {database}.{prefix}{name} ({keys}, revision{mark}) SELECT {keys}, {revision}{value} \
             FROM {database}.{name} FINAL WHERE {} AND {something} AND ({keys}) NOT IN (SELECT {keys} FROM {database}.{prefix}{name})",
            self.in_period(period)
        )
    }

    /// Counts the replay's rows, those whose key was not there, and those that count something else than what stands.
    pub(super) fn changes(self, database: &str, prefix: &str, columns: &[ColumnOf]) -> String {
        let keys = list(columns.iter().filter(|column| column.is_key));
        let counted = list(
            columns.iter().filter(|column| !column.is_key && !NOT_COUNTED.contains(&column.name.as_str())),
        );
        let name = self.name;
        let rows = |prefix: &str, deleted: &str| {
            format!(
                "SELECT {keys}, cityHash64(toString(tuple({counted}))) AS counted{deleted} FROM {database}.{prefix}{name} FINAL"
            )
        };
        // FINAL leaves deleted facts out, on both sides.
        let (made, stands) = (rows(prefix, ", 1 AS is_there"), rows("", ", 1 AS is_there"));
        format!(
            "SELECT (SELECT count() FROM {database}.{prefix}{name}), countIf(stands.is_there = 0), \
             countIf(stands.is_there = 1 AND made.counted != stands.counted) \
             FROM ({made}) AS made LEFT JOIN ({stands} WHERE ({keys}) IN (SELECT {keys} FROM {database}.{prefix}{name})) AS stands \
             USING ({keys})"
        )
    }
}
