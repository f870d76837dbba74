//! The forms of an object that do not overlap: minutes as they are stored, and hours and days of the tenant's time zone summed from them.
//!
//! A template names what it reads as `{summed scores metric = 'nps'}`; hours and days are sums of the counts and of the log buckets of
//! minutes, so percentiles and intervals are computed from all that was counted, never from those of minutes. Tenants of different time
//! zones are read apart, each with its zone as a constant: the table's keys can be used only so.
//!
//! Minutes do not say whether they are final: windows do. The windows of everything together (`all`) end with every advance while anything
//! counts in them, so the latest final one tells how far the watermark of a tenant's metric is; nothing has to be stored for it.

use std::collections::BTreeMap;

use touchstream_runtime::touchpoints::Touchpoints;

use super::files::Form;
use super::render::each;
use super::touchpoints::quoted;

/// What can be summed.
struct Summed {
    name: &'static str,
    table: &'static str,
    /// Arrays of a minute that become rows.
    array_join: &'static str,
    /// Further columns of the key.
    keys: &'static [&'static str],
    counts: &'static [&'static str],
    /// Columns of which the greatest stands.
    greatest: &'static [&'static str],
    buckets: &'static [&'static str],
}

const SUMMED: [Summed; 7] = [
    Summed {
        name: "scores",
        table: "store_score_minutes",
        array_join: "",
        keys: &["detail"],
        counts: &["answers", "top", "middle", "bottom"],
        greatest: &[],
        buckets: &[],
    },
    Summed {
        name: "steps",
        table: "store_checkout_minutes",
        array_join: "step_names AS step, step_indexes AS step_index, step_reached AS reached_n, step_dropped AS dropped_n",
        keys: &["step"],
        counts: &["reached_n", "dropped_n"],
        greatest: &["step_index"],
        buckets: &[],
    },
    Summed {
        name: "reasons",
        table: "store_checkout_minutes",
        array_join: "reason_names AS reason, reason_sources AS reason_source, reason_currencies AS currency, reason_attempts AS n, reason_values AS value_sum",
        keys: &["reason", "reason_source", "currency"],
        counts: &["n", "value_sum"],
        greatest: &[],
        buckets: &[],
    },
    Summed {
        name: "purchases",
        table: "store_checkout_minutes",
        array_join: "",
        keys: &[],
        counts: &["within_3min", "within_15min"],
        greatest: &[],
        buckets: &["durations"],
    },
    Summed {
        name: "responses",
        table: "store_response_minutes",
        array_join: "",
        keys: &["metric"],
        counts: &["breached"],
        greatest: &[],
        buckets: &["durations"],
    },
    Summed {
        name: "services",
        table: "store_service_minutes",
        array_join: "",
        keys: &[],
        counts: &[
            "conversations",
            "bot",
            "contained",
            "returned",
            "handoffs",
            "human_requests",
            "human_reached",
            "bot_loops",
            "reasked",
            "reopened",
        ],
        greatest: &[],
        buckets: &[],
    },
    Summed {
        name: "apps",
        table: "store_app_minutes",
        array_join: "",
        keys: &["name"],
        counts: &["errors", "tasks", "successes"],
        greatest: &[],
        buckets: &["durations"],
    },
];

/// What a form calls its time.
struct Period {
    columns: &'static str,
    list: &'static str,
    in_one: &'static str,
    of_the: &'static str,
    many: &'static str,
}

const MINUTES: Period = Period {
    columns: "    `minute` DateTime('UTC') COMMENT 'Start of the minute (event time).',",
    list: "minute",
    in_one: "in one minute",
    of_the: "of the minute",
    many: "Minutes",
};
const HOURS: Period = Period {
    columns: "    `hour` DateTime('UTC') COMMENT 'Start of the hour (event time), in UTC; an hour of the tenant''s time zone.',
    `day` Date COMMENT 'Day of the hour in the tenant''s time zone.',
    `hour_of_day` UInt8 COMMENT 'Hour of the day in the tenant''s time zone, 0 to 23.',",
    list: "hour, day, hour_of_day",
    in_one: "in one hour",
    of_the: "of the hour",
    many: "Hours",
};
const DAYS: Period = Period {
    columns: "    `day` Date COMMENT 'Day (event time) in the tenant''s time zone.',",
    list: "day",
    in_one: "on one day",
    of_the: "of the day",
    many: "Days",
};

/// Which tenants have which time zone.
#[derive(Debug)]
pub(super) struct Zones {
    /// Tenants by zone, except UTC.
    others: BTreeMap<String, Vec<String>>,
}

impl Zones {
    pub(super) fn of(touchpoints: &Touchpoints) -> Zones {
        let mut others: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, tenant) in touchpoints.tenants() {
            let zone = tenant.time_zone.as_ref().and_then(|zone| zone.iana_name()).unwrap_or("UTC");
            if zone != "UTC" {
                others.entry(zone.to_owned()).or_default().push(name.to_owned());
            }
        }
        others.values_mut().for_each(|tenants| tenants.sort());
        Zones { others }
    }

    /// Each zone with the condition under which it holds.
    fn conditions(&self) -> Vec<(String, String)> {
        let list = |tenants: &[String]| {
            tenants.iter().map(|tenant| quoted(tenant)).collect::<Vec<String>>().join(", ")
        };
        let mut conditions: Vec<(String, String)> = self
            .others
            .iter()
            .map(|(zone, tenants)| (zone.clone(), format!("tenant IN ({})", list(tenants))))
            .collect();
        let all: Vec<String> = self.others.values().flatten().cloned().collect();
        let rest = if all.is_empty() { String::new() } else { format!("tenant NOT IN ({})", list(&all)) };
        conditions.push(("UTC".to_owned(), rest));
        conditions
    }
}

/// Fills in what a template says of periods.
pub(super) fn fill(text: &str, form: Form, zones: &Zones) -> String {
    let period = match form {
        Form::Plain | Form::By => return text.to_owned(),
        Form::Minutes => MINUTES,
        Form::Hours => HOURS,
        Form::Days => DAYS,
    };
    let text = text
        .replace("{period_suffix}", form.suffix())
        .replace("{period_columns}", period.columns)
        .replace("{period_list}", period.list)
        .replace("{in_one_period}", period.in_one)
        .replace("{of_the_period}", period.of_the)
        .replace("{Periods}", period.many);
    each(&text, "{summed ", "}", |what| {
        let (name, condition) = what.split_once(' ').unwrap_or((what, ""));
        let summed =
            SUMMED.iter().find(|summed| summed.name == name).expect("a template names what is listed here");
        match form {
            Form::Hours | Form::Days => summed.by_zone(form, condition, zones),
            _ => {
                let is_final = summed.is_final("minute + 60", "'5m'", condition);
                summed.minutes(&[condition], &format!("{is_final}, "))
            }
        }
    })
}

impl Summed {
    /// Whether what ends at `end` is final. The windows of these sizes reach to that end, or beyond it, from wherever something was counted.
    fn is_final(&self, end: &str, sizes: &str, condition: &str) -> String {
        let windows = self.table.replace("_minutes", "_windows");
        let condition = if condition.is_empty() { String::new() } else { format!(" AND {condition}") };
        format!(
            "toBool({end} <= (SELECT mapFromArrays(groupArray(tenant), groupArray(final_until)) FROM (SELECT tenant, max(window_end) AS final_until \
             FROM {{database}}.{windows} WHERE is_final AND touchpoint = 'all' AND channel = 'all' AND device = 'all' AND window IN ({sizes}){condition} \
             GROUP BY tenant))[tenant]) AS is_final"
        )
    }

    /// The rows of minutes, with `further` columns.
    fn minutes(&self, conditions: &[&str], further: &str) -> String {
        let columns = [self.keys, self.counts, self.greatest, self.buckets].concat().join(", ");
        let comma = if columns.is_empty() { "" } else { ", " };
        let array_join = if self.array_join.is_empty() {
            String::new()
        } else {
            format!(" ARRAY JOIN {}", self.array_join)
        };
        let conditions: Vec<&str> =
            conditions.iter().copied().filter(|condition| !condition.is_empty()).collect();
        let filter = if conditions.is_empty() {
            String::new()
        } else {
            format!(" WHERE {}", conditions.join(" AND "))
        };
        format!(
            "(SELECT tenant, minute, touchpoint, channel, device{comma}{columns}, {further}revision FROM {{database}}.{} FINAL{array_join}{filter})",
            self.table
        )
    }

    /// Sums of minutes, zone by zone.
    fn by_zone(&self, form: Form, condition: &str, zones: &Zones) -> String {
        let parts: Vec<String> = zones
            .conditions()
            .iter()
            .map(|(zone, tenants)| {
                self.sums(form, zone, condition, &self.minutes(&[condition, tenants.as_str()], ""))
            })
            .collect();
        format!("(\n{}\n)", parts.join("\nUNION ALL\n"))
    }

    fn sums(&self, form: Form, zone: &str, condition: &str, minutes: &str) -> String {
        let zone = quoted(zone);
        let (time, key) = match form {
            Form::Days => (format!("toDate(minutes.minute, {zone}) AS day"), "day"),
            _ => (
                format!(
                    "toTimeZone(toStartOfHour(minutes.minute, {zone}), 'UTC') AS hour, toDate(hour, {zone}) AS day, toHour(hour, {zone}) AS hour_of_day"
                ),
                "hour",
            ),
        };
        let mut columns: Vec<String> = self.keys.iter().map(|key| (*key).to_owned()).collect();
        columns.extend(self.counts.iter().map(|count| format!("sum(minutes.{count}) AS {count}")));
        columns.extend(self.greatest.iter().map(|most| format!("max(minutes.{most}) AS {most}")));
        columns.extend(
            self.buckets.iter().map(|buckets| format!("mapSort(sumMap(minutes.{buckets})) AS {buckets}")),
        );
        let end = if form == Form::Days {
            format!("toDateTime(day + 1, {zone})")
        } else {
            "hour + 3600".to_owned()
        };
        columns.push(self.is_final(&end, "'1h', '24h', '7d'", condition));
        columns.push("max(minutes.revision) AS revision".to_owned());
        let mut keys = vec!["tenant", key, "touchpoint", "channel", "device"];
        keys.extend(self.keys);
        format!(
            "    SELECT tenant, {time}, touchpoint, channel, device, {}\n    FROM {minutes} AS minutes\n    GROUP BY {}",
            columns.join(", "),
            keys.join(", ")
        )
    }
}
