//! Questions to ClickHouse: as the read-only user, with parameters, within limits of time and size.

use std::time::Duration;

use clickhouse::Client;

use crate::error::QuestionError;
use crate::regression::{About, Spans};
use crate::selection::Selection;

/// Longest wait for an answer, in seconds; ClickHouse is told the same.
const DEADLINE_S: u64 = 5;
/// Largest answer. The largest panel, a chart of 97 points, has some 10 KiB.
const LARGEST: usize = 1 << 20;

/// The way to the views.
#[derive(Clone)]
pub(crate) struct Database {
    client: Client,
    name: String,
}

impl Database {
    pub(crate) fn new(client: Client, name: &str) -> Database {
        let client = client
            .with_setting("max_execution_time", DEADLINE_S.to_string())
            .with_setting("output_format_json_array_of_rows", "1")
            .with_setting("output_format_json_quote_64bit_integers", "0")
            .with_setting("output_format_json_quote_decimals", "0")
            .with_setting("output_format_json_quote_denormals", "0");
        Database { client, name: name.to_owned() }
    }

    /// The answer as a JSON array of objects.
    pub(crate) async fn ask(&self, sql: &str, selection: &Selection) -> Result<String, QuestionError> {
        let period = selection.period;
        let query = self
            .client
            .query_raw(&sql.replace("{database}", &self.name))
            .param("tenant", &selection.tenant)
            .param("touchpoint", &selection.touchpoint)
            .param("channel", &selection.channel)
            .param("device", &selection.device)
            .param("window", period.window())
            .param("chart_window", period.chart_window())
            .param("span_s", period.span_s())
            .param("step_s", period.step_s())
            .param("score_span_s", period.score_span_s())
            .param("score_step_s", period.score_step_s())
            .param("newest_s", period.newest_s());
        self.fetch(query).await
    }

    /// The answer to a question about one regression.
    pub(crate) async fn ask_about(
        &self,
        sql: &str,
        about: &About,
        spans: &Spans,
    ) -> Result<String, QuestionError> {
        let query = self
            .client
            .query_raw(&sql.replace("{database}", &self.name))
            .param("tenant", &about.tenant)
            .param("rule", &about.rule)
            .param("touchpoint", &about.touchpoint)
            .param("channel", &about.channel)
            .param("detail", &about.detail)
            .param("fired_ms", about.fired_ms)
            .param("before_from", spans.before_from)
            .param("cycle_s", spans.cycle_s)
            .param("length_s", spans.length_s)
            .param("since_from", spans.since_from)
            .param("since_to", spans.since_to)
            .param("tile", spans.tile)
            .param("tile_s", spans.tile_s)
            .param("course_from", spans.course_from)
            .param("until", spans.until)
            .param("course", spans.course)
            .param("course_step_s", spans.course_step_s);
        self.fetch(query).await
    }

    /// The answer to a question without parameters.
    pub(crate) async fn ask_plain(&self, sql: &str) -> Result<String, QuestionError> {
        self.fetch(self.client.query_raw(&sql.replace("{database}", &self.name))).await
    }

    async fn fetch(&self, query: clickhouse::query::Query) -> Result<String, QuestionError> {
        let answer = async {
            let mut cursor = query.fetch_bytes("JSONEachRow")?;
            let mut bytes = Vec::new();
            while let Some(chunk) = cursor.next().await? {
                if bytes.len() + chunk.len() > LARGEST {
                    return Err(QuestionError::TooLarge(LARGEST));
                }
                bytes.extend_from_slice(&chunk);
            }
            Ok(String::from_utf8_lossy(&bytes).trim().replace('\n', ""))
        };
        match tokio::time::timeout(Duration::from_secs(DEADLINE_S), answer).await {
            Ok(answer) => answer,
            Err(_) => Err(QuestionError::TooSlow(DEADLINE_S)),
        }
    }
}
