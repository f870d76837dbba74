//! Which settings reach the engine: all that a writer sends, and a reader's only as far as they are harmless.
//!
//! Promise kept: no request lifts a reader's limits. What a client or Grafana sends out of habit is lowered to the limit or
//! left out, never refused; only a name that ClickHouse does not know is an error, as on a real server.

use crate::authenticate::Role;
use crate::config::ReaderLimits;
use crate::error::Exception;
use std::collections::HashSet;

/// A setting and its value, both as text.
pub(crate) type Setting = (String, String);

/// URL parameters that are no settings.
const REQUEST_PARAMETERS: &[&str] = &[
    "query",
    "database",
    "default_format",
    "user",
    "password",
    "quota_key",
    "session_id",
    "session_timeout",
    "session_check",
    "query_id",
    "compress",
    "decompress",
    "stacktrace",
    "role",
    "client_protocol_version",
    "buffer_size",
    "close_session",
    "custom_key",
    "replica_num",
    "replica_count",
];

/// Settings that act in ClickHouse's HTTP handler, which is this server.
const HANDLER_SETTINGS: &[&str] = &[
    "enable_http_compression",
    "http_zlib_compression_level",
    "wait_end_of_query",
    "send_progress_in_http_headers",
    "http_headers_progress_interval_ms",
    "add_http_cors_header",
    "cancel_http_readonly_queries_on_client_close",
    "http_wait_end_of_query",
    "http_response_buffer_size",
    "http_write_exception_in_output_format",
    "http_native_compression_disable_checksumming_on_decompress",
    "log_comment",
    "implicit_select",
];

/// Settings that name files or hosts: for nobody.
pub(crate) const OUTSIDE_SETTINGS: &[&str] = &[
    "output_format_schema",
    "format_schema",
    "format_schema_source",
    "format_schema_message_name",
    "format_avro_schema_registry_url",
    "format_template_resultset",
    "format_template_row",
    "format_template_resultset_format",
    "format_template_row_format",
    "format_template_rows_between_delimiter",
    "allow_experimental_eval_table_function",
];

/// A reader's settings that change what a result looks like or means, not what it costs.
const HARMLESS_SETTINGS: &[&str] = &[
    "extremes",
    "session_timezone",
    "result_overflow_mode",
    "timeout_overflow_mode",
    "read_overflow_mode",
    "max_rows_to_read",
    "max_bytes_to_read",
    "join_use_nulls",
    "prefer_column_name_to_alias",
    "union_default_mode",
    "group_by_use_nulls",
    "transform_null_in",
    "aggregate_functions_null_for_empty",
    "final",
    "limit",
    "offset",
    "date_time_output_format",
    "date_time_input_format",
    "cast_keep_nullable",
    "count_distinct_implementation",
    "low_cardinality_allow_in_native_format",
    "interval_output_format",
    "short_circuit_function_evaluation",
    "joined_subquery_requires_alias",
    "enable_positional_arguments",
    "any_join_distinct_right_table_keys",
    "show_table_uuid_in_table_create_query_if_not_nil",
    "use_client_time_zone",
    "formatdatetime_parsedatetime_m_is_month_name",
    "bool_true_representation",
    "bool_false_representation",
    "regexp_max_matches_per_row",
    "totals_mode",
];

/// Families of such settings.
const HARMLESS_FAMILIES: &[&str] = &["output_format_", "input_format_", "format_"];

/// Decides what reaches the engine.
#[derive(Debug)]
pub(crate) struct SettingsTable {
    known: HashSet<String>,
    limits: ReaderLimits,
}

impl SettingsTable {
    pub(crate) const fn new(known: HashSet<String>, limits: ReaderLimits) -> Self {
        Self { known, limits }
    }

    /// The settings of a query: those asked for, as far as the role may have them.
    pub(crate) fn admit(&self, role: Role, asked: &[Setting]) -> Result<Vec<Setting>, Exception> {
        let mut admitted: Vec<Setting> = Vec::with_capacity(asked.len());
        for (name, value) in asked {
            let name_is_plain =
                !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            if HANDLER_SETTINGS.contains(&name.as_str()) {
                continue;
            }
            if !name_is_plain || !self.known.contains(name) {
                return Err(Exception::unknown_setting(name));
            }
            if OUTSIDE_SETTINGS.contains(&name.as_str()) {
                continue;
            }
            match role {
                Role::Writer => admitted.push((name.clone(), value.clone())),
                Role::Reader => admitted.extend(self.for_reader(name, value)),
            }
        }
        if role == Role::Reader {
            for (name, cap) in self.caps() {
                if !admitted.iter().any(|(admitted, _)| admitted == name) {
                    admitted.push((name.to_owned(), cap.to_string()));
                }
            }
        }
        Ok(admitted)
    }

    const fn caps(&self) -> [(&'static str, u64); 6] {
        [
            ("max_execution_time", self.limits.execution_seconds),
            ("max_memory_usage", self.limits.memory_bytes),
            ("max_result_rows", self.limits.result_rows),
            ("max_result_bytes", self.limits.result_bytes),
            ("max_threads", self.limits.threads),
            ("max_block_size", 65_409),
        ]
    }

    fn for_reader(&self, name: &str, value: &str) -> Option<Setting> {
        if let Some((_, cap)) = self.caps().iter().find(|(capped, _)| *capped == name) {
            return Some((name.to_owned(), lower(value, *cap)));
        }
        let harmless = HARMLESS_SETTINGS.contains(&name)
            || HARMLESS_FAMILIES.iter().any(|family| name.starts_with(family));
        harmless.then(|| (name.to_owned(), value.to_owned()))
    }
}

/// The smaller of a value and its cap; zero, which means unlimited, and what is no number become the cap.
fn lower(value: &str, cap: u64) -> String {
    match value.trim().parse::<f64>() {
        #[expect(clippy::cast_precision_loss, reason = "the caps are far below 2^53")]
        Ok(number) if number > 0.0 && number < cap as f64 => value.trim().to_owned(),
        _ => cap.to_string(),
    }
}

/// Whether a URL parameter is a setting.
pub(crate) fn is_setting(parameter: &str) -> bool {
    !REQUEST_PARAMETERS.contains(&parameter) && !parameter.starts_with("param_")
}

/// `SET a = 'x', …`, or nothing to run.
pub(crate) fn set_statement(settings: &[Setting]) -> Option<String> {
    if settings.is_empty() {
        return None;
    }
    let pairs: Vec<String> =
        settings.iter().map(|(name, value)| format!("{name} = {}", quote(value))).collect();
    Some(format!("SET {}", pairs.join(", ")))
}

/// A SQL string.
pub(crate) fn quote(value: &str) -> String {
    let mut quoted = String::with_capacity(value.len() + 2);
    quoted.push('\'');
    for character in value.chars() {
        if matches!(character, '\'' | '\\') {
            quoted.push('\\');
        }
        quoted.push(character);
    }
    quoted.push('\'');
    quoted
}

/// A SQL name in backticks.
pub(crate) fn quote_name(name: &str) -> String {
    format!("`{}`", name.replace('\\', "\\\\").replace('`', "\\`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> SettingsTable {
        let known = [
            "max_execution_time",
            "max_memory_usage",
            "max_result_rows",
            "max_result_bytes",
            "max_threads",
            "readonly",
            "output_format_json_quote_64bit_integers",
            "async_insert",
            "format_schema",
            "session_timezone",
        ];
        SettingsTable::new(known.iter().map(|name| (*name).to_owned()).collect(), ReaderLimits::default())
    }

    fn admit(role: Role, pairs: &[(&str, &str)]) -> Result<Vec<Setting>, Exception> {
        let pairs: Vec<Setting> =
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        table().admit(role, &pairs)
    }

    #[test]
    fn readers_keep_their_limits_and_their_habits() {
        let admitted = admit(
            Role::Reader,
            &[
                ("max_execution_time", "0"),
                ("max_memory_usage", "99999999999999"),
                ("max_result_rows", "10"),
                ("max_threads", "many"),
                ("readonly", "0"),
                ("async_insert", "1"),
                ("format_schema", "/etc/passwd"),
                ("output_format_json_quote_64bit_integers", "1"),
                ("session_timezone", "Europe/Berlin"),
                ("wait_end_of_query", "1"),
            ],
        )
        .expect("nothing is refused");
        let value = |name: &str| {
            admitted.iter().find(|(admitted, _)| admitted == name).map(|(_, value)| value.as_str())
        };
        assert_eq!(value("max_execution_time"), Some("60"));
        assert_eq!(value("max_memory_usage"), Some("2147483648"));
        assert_eq!(value("max_result_rows"), Some("10"));
        assert_eq!(value("max_result_bytes"), Some("1073741824"));
        assert_eq!(value("max_threads"), Some("8"));
        assert_eq!(value("session_timezone"), Some("Europe/Berlin"));
        assert_eq!(value("output_format_json_quote_64bit_integers"), Some("1"));
        for absent in ["readonly", "async_insert", "format_schema", "wait_end_of_query"] {
            assert_eq!(value(absent), None, "{absent}");
        }
    }

    #[test]
    fn unknown_names_are_errors_and_values_cannot_break_out() {
        assert_eq!(admit(Role::Reader, &[("no_such", "1")]).map_err(|error| error.code), Err(115));
        assert_eq!(admit(Role::Writer, &[("a = 1, b", "1")]).map_err(|error| error.code), Err(115));
        let pairs = [("a".to_owned(), "x', readonly = '0\\".to_owned())];
        assert_eq!(set_statement(&pairs).as_deref(), Some("SET a = 'x\\', readonly = \\'0\\\\'"));
        assert_eq!(quote_name("a`b"), "`a\\`b`");
    }
}
