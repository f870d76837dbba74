//! The page of one regression: what the rule found, and the numbers before and since beside each other, so that a person can judge it.
//!
//! The way of an answer: [`About`] names a regression → it is read as it was told ([`Found`]) → [`Spans`] says which times are compared →
//! the questions of its rule are asked, of windows and minutes that are counted already. Waits come as log buckets, of which [`waits`]
//! makes a histogram. What the rule knows besides (incidents, lost data) is in its own numbers alone: the page names both.

mod spans;
mod waits;

use serde::Deserialize;

use crate::database::Database;
use crate::error::QuestionError;
pub(crate) use spans::Spans;

/// Longest text of a name, in bytes; what ingest takes is not longer.
const LONGEST: usize = 256;

macro_rules! sql {
    ($name:literal) => {
        include_str!(concat!("../../sql/regression/", $name, ".sql"))
    };
}

/// Which one.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct About {
    pub(crate) tenant: String,
    pub(crate) rule: String,
    pub(crate) touchpoint: String,
    pub(crate) channel: String,
    #[serde(default)]
    pub(crate) detail: String,
    /// When it was found, in milliseconds since 1970.
    pub(crate) fired_ms: i64,
}

impl About {
    /// Whether a text is longer than any that there can be.
    pub(crate) fn is_too_long(&self) -> bool {
        [&self.tenant, &self.rule, &self.touchpoint, &self.channel, &self.detail]
            .into_iter()
            .any(|text| text.len() > LONGEST)
    }
}

/// What is needed of a regression to know which times to compare.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Found {
    baseline_kind: String,
    fired_at: i64,
    since: i64,
    ended_at: Option<i64>,
}

/// What is asked for a rule.
enum Questions {
    /// The parts of a share or a score, by place and by device and channel, and its course.
    Parts { distribution: &'static str, parts: &'static str, course: &'static str },
    /// Log buckets of waits, and their course.
    Waits,
    /// Events by time.
    Silence(&'static str),
    /// A rule of another release: what it found is all that is known.
    Nothing,
}

impl Questions {
    fn of(about: &About) -> Questions {
        match about.rule.as_str() {
            "nps_fell" => Questions::Parts {
                distribution: sql!("nps"),
                parts: sql!("nps_parts"),
                course: sql!("nps_course"),
            },
            "drop_off_rose" => Questions::Parts {
                distribution: sql!("drop_off"),
                parts: sql!("drop_off_parts"),
                course: sql!("drop_off_course"),
            },
            "error_rate_rose" => Questions::Parts {
                distribution: sql!("errors"),
                parts: sql!("errors_parts"),
                course: sql!("errors_course"),
            },
            "response_p95_rose" | "response_slo_burn" => Questions::Waits,
            "nothing_arrives" => Questions::Silence(sql!("silence_arrivals")),
            "touchpoint_silent" => match about.detail.as_str() {
                "checkout" => Questions::Silence(sql!("silence_checkout")),
                "app" => Questions::Silence(sql!("silence_app")),
                "nps" => Questions::Silence(sql!("silence_nps")),
                "csat" => Questions::Silence(sql!("silence_csat")),
                "response_times" => Questions::Silence(sql!("silence_response_times")),
                _ => Questions::Nothing,
            },
            _ => Questions::Nothing,
        }
    }
}

/// Writes out which stretches of time a question reads, so that the tables' order finds them: a remainder would read four whole weeks. A window
/// lies in a stretch by its end, a minute by its start.
fn with_ranges(sql: &str) -> String {
    let mut sql = sql.to_owned();
    for (column, after, until) in [("window_end", ">", "<="), ("minute", ">=", "<")] {
        let range = |from: String, to: String| {
            format!("({column} {after} toDateTime({from}) AND {column} {until} toDateTime({to}))")
        };
        let since = range("{since_from:Int64}".to_owned(), "{since_to:Int64}".to_owned());
        let before = (0..4).map(|cycle| {
            let from = format!("{{before_from:Int64}} + {cycle} * {{cycle_s:Int64}}");
            // None of what was before reaches into what is since.
            let to = format!("least({from} + {{length_s:Int64}}, {{since_from:Int64}})");
            range(from, to)
        });
        let compared: Vec<String> = std::iter::once(since).chain(before).collect();
        let week = |back: i64| {
            let back = format!("{back} * 604800");
            range(format!("{{course_from:Int64}} - {back}"), format!("{{until:Int64}} - {back}"))
        };
        let weeks: Vec<String> = (0..5).map(week).collect();
        sql = sql.replace(&format!("{{compared by {column}}}"), &format!("({})", compared.join(" OR ")));
        sql = sql.replace(&format!("{{weeks by {column}}}"), &format!("({})", weeks.join(" OR ")));
    }
    sql
}

/// The page's numbers as a JSON object; nothing when there is no such regression.
pub(crate) async fn read(
    database: &Database,
    about: &About,
    now: i64,
) -> Result<Option<String>, QuestionError> {
    let rows = database.ask_about(sql!("one"), about, &Spans::default()).await?;
    let found: Vec<Found> = serde_json::from_str(&rows).map_err(QuestionError::Unreadable)?;
    let Some(found) = found.first() else { return Ok(None) };
    let spans = Spans::of(&about.rule, found, now);
    let ask = async |sql: &'static str| database.ask_about(&with_ranges(sql), about, &spans).await;
    let more = match Questions::of(about) {
        Questions::Parts { distribution, parts, course } => {
            let (distribution, parts, course) = tokio::try_join!(ask(distribution), ask(parts), ask(course))?;
            format!(r#""distribution":{distribution},"parts":{parts},"course":{course}"#)
        }
        Questions::Waits => {
            let (waits, course) = tokio::try_join!(ask(sql!("waits")), ask(sql!("waits_course")))?;
            let waits = waits::compare(&waits).map_err(QuestionError::Unreadable)?;
            format!(r#""waits":{waits},"course":{course}"#)
        }
        Questions::Silence(source) => {
            let sql = sql!("silence").replace("{source}", source);
            let hours = database.ask_about(&with_ranges(&sql), about, &spans).await?;
            format!(r#""hours":{hours}"#)
        }
        Questions::Nothing => r#""course":[]"#.to_owned(),
    };
    let spans = serde_json::to_string(&spans).map_err(QuestionError::Unreadable)?;
    Ok(Some(format!(r#"{{"regression":{rows},"spans":{spans},{more}}}"#)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_question_keeps_a_place_that_is_not_filled() {
        for sql in [
            sql!("nps"),
            sql!("drop_off_parts"),
            sql!("waits"),
            sql!("silence_app"),
            sql!("silence_arrivals"),
        ] {
            let filled = with_ranges(sql);
            assert!(!filled.contains(" by window_end}") && !filled.contains(" by minute}"), "{filled}");
            assert!(filled.contains(" OR ("), "{filled}");
        }
    }

    #[test]
    fn every_rule_has_its_questions() {
        let mut about = About {
            tenant: "shop".to_owned(),
            rule: String::new(),
            touchpoint: "checkout".to_owned(),
            channel: "all".to_owned(),
            detail: "checkout".to_owned(),
            fired_ms: 0,
        };
        for rule in [
            "nps_fell",
            "drop_off_rose",
            "response_p95_rose",
            "response_slo_burn",
            "touchpoint_silent",
            "error_rate_rose",
            "nothing_arrives",
        ] {
            rule.clone_into(&mut about.rule);
            assert!(!matches!(Questions::of(&about), Questions::Nothing), "{rule}");
        }
        "of tomorrow".clone_into(&mut about.rule);
        assert!(matches!(Questions::of(&about), Questions::Nothing));
        about.detail = "x".repeat(LONGEST + 1);
        assert!(about.is_too_long());
    }
}
