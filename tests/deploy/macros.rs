//! What becomes of a panel's SQL before ClickHouse sees it: Grafana fills in the variables, the data source (grafana-clickhouse-datasource 4) its
//! macros. A variable or macro that is not known here fails the test: it would reach ClickHouse as it stands.

use std::collections::BTreeMap;

/// The time range of a panel, and how far apart its points are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Range {
    /// Seconds since 1970.
    pub(crate) from: i64,
    /// Seconds since 1970.
    pub(crate) to: i64,
    /// Seconds.
    pub(crate) interval: i64,
}

/// Values of the dashboard's variables.
pub(crate) type Variables = BTreeMap<&'static str, String>;

/// The SQL that ClickHouse gets.
pub(crate) fn expand(sql: &str, variables: &Variables, range: Range) -> String {
    let mut expanded = String::new();
    let mut rest = sql;
    while let Some(at) = rest.find('$') {
        expanded += &rest[..at];
        rest = &rest[at..];
        let (text, used) = match rest.strip_prefix("$__") {
            Some(after) => macro_at(after, range),
            None => variable_at(rest, variables),
        };
        expanded += &text;
        rest = &rest[used..];
    }
    expanded + rest
}

/// `${name:singlequote}`: the only form the dashboards use, because it alone is quoted and escaped.
fn variable_at(text: &str, variables: &Variables) -> (String, usize) {
    let end = text.find('}').unwrap_or_else(|| panic!("a variable does not end: {text}"));
    let inside = text.strip_prefix("${").unwrap_or_else(|| panic!("an unquoted variable: {text}"));
    let name = inside[..end - 2]
        .strip_suffix(":singlequote")
        .unwrap_or_else(|| panic!("an unquoted variable: {text}"));
    let value = variables.get(name).unwrap_or_else(|| panic!("no variable is called {name}"));
    (format!("'{}'", value.replace('\\', "\\\\").replace('\'', "\\'")), end + 1)
}

fn macro_at(after: &str, range: Range) -> (String, usize) {
    let name = &after
        [..after.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(after.len())];
    let argument = after[name.len()..].strip_prefix('(').map(|inside| {
        let end = inside.find(')').unwrap_or_else(|| panic!("a macro does not end: {after}"));
        assert!(!inside[..end].contains('('), "the data source takes a column here: {after}");
        inside[..end].trim()
    });
    let Range { from, to, interval } = range;
    let text = match (name, argument) {
        ("fromTime", None) => format!("toDateTime({from})"),
        ("toTime", None) => format!("toDateTime({to})"),
        ("interval_s", None) => interval.to_string(),
        ("timeFilter", Some(column)) => {
            format!("{column} >= toDateTime({from}) AND {column} <= toDateTime({to})")
        }
        ("dateFilter", Some(column)) => {
            format!("{column} >= toDate('{}') AND {column} <= toDate('{}')", day(from), day(to))
        }
        ("timeInterval", Some(column)) => {
            format!("toStartOfInterval(toDateTime({column}), INTERVAL {interval} second)")
        }
        _ => panic!("the data source has no macro like {after}"),
    };
    let written = argument.map_or(0, |_| after[name.len()..].find(')').expect("it was found above") + 1);
    (text, "$__".len() + name.len() + written)
}

fn day(seconds: i64) -> String {
    let time = jiff::Timestamp::from_second(seconds).expect("a time of the test");
    time.to_zoned(jiff::tz::TimeZone::UTC).date().to_string()
}

#[test]
fn macros_and_variables_become_what_the_data_source_makes_of_them() {
    let range = Range { from: 1_792_886_400, to: 1_793_491_200, interval: 60 };
    let variables = Variables::from([("tenant", "it's".to_owned())]);
    let sql = "SELECT $__timeInterval(minute) AS time FROM t WHERE tenant = ${tenant:singlequote} AND $__timeFilter(at) AND $__dateFilter(day) AND at < $__toTime";
    assert_eq!(
        expand(sql, &variables, range),
        "SELECT toStartOfInterval(toDateTime(minute), INTERVAL 60 second) AS time FROM t WHERE tenant = 'it\\'s' AND at >= toDateTime(1792886400) AND at <= toDateTime(1793491200) \
         AND day >= toDate('2026-10-25') AND day <= toDate('2026-11-01') AND at < toDateTime(1793491200)"
    );
}
