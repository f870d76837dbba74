//! Scores: how an answer is classed on its scale. Contract, section 5; every case is settled in `docs/metric-definitions.md`.

use touchstream_schemas::facts::AnswerView;
use touchstream_schemas::panes::{Scores, metric};

/// Metric, scale (empty where there is only one) and class of an answer; `None` when it is no score.
#[must_use]
pub fn classed(answer: &AnswerView<'_>) -> Option<(&'static str, String, Scores)> {
    let score = i64::from(answer.score?);
    if answer.metric == metric::NPS {
        let scores = Scores {
            answers: 1,
            top: i64::from(score >= 9),
            middle: i64::from((7..=8).contains(&score)),
            bottom: i64::from(score <= 6),
        };
        return Some((metric::NPS, String::new(), scores));
    }
    // The usual scale, and the share of it from which on an answer is good.
    let (metric, (usual_min, usual_max), (part, whole)) = match answer.metric {
        metric::CSAT => (metric::CSAT, (1, 5), (3, 4)),
        metric::CES => (metric::CES, (1, 7), (2, 3)),
        _ => return None,
    };
    let min = answer.scale_min.map_or(usual_min, i64::from);
    let max = answer.scale_max.map_or(usual_max, i64::from);
    if min >= max || score < min || score > max {
        return None;
    }
    let top = i64::from((score - min) * whole >= (max - min) * part);
    Some((metric, format!("{min}-{max}"), Scores { answers: 1, top, middle: 0, bottom: 1 - top }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use touchstream_schemas::facts::AnswerFact;

    fn answer(metric: &str, score: i32, scale: Option<(i32, i32)>) -> AnswerFact {
        let json = r#"{"tenant":"t","submission_id":"f","question":"q","source":"s","id":"e","touchpoint":"","channel":"","device":"",
            "time":0,"metric":"","respondent":"customer","is_counted":true,"is_deleted":false,"revision":0}"#;
        let empty: AnswerFact = serde_json::from_str(json).expect("it is an answer");
        let (scale_min, scale_max) = (scale.map(|scale| scale.0), scale.map(|scale| scale.1));
        AnswerFact { metric: metric.to_owned(), score: Some(score), scale_min, scale_max, ..empty }
    }

    #[test]
    fn the_scale_decides_what_is_good() {
        for (metric, scale, name, good_from, max) in [
            ("csat", None, "1-5", 4, 5),
            ("csat", Some((0, 10)), "0-10", 8, 10),
            ("csat", Some((1, 7)), "1-7", 6, 7),
            ("csat", Some((-2, 2)), "-2-2", 1, 2),
            ("ces", None, "1-7", 5, 7),
            ("ces", Some((1, 5)), "1-5", 4, 5),
            ("ces", Some((0, 10)), "0-10", 7, 10),
        ] {
            for score in (scale.map_or(1, |scale| scale.0))..=max {
                let (found, detail, scores) =
                    classed(&answer(metric, score, scale).view()).expect("it is a score");
                let top = i64::from(score >= good_from);
                assert_eq!((found, detail.as_str()), (metric, name));
                assert_eq!(
                    scores,
                    Scores { answers: 1, top, middle: 0, bottom: 1 - top },
                    "{metric} {name} {score}"
                );
            }
        }
        assert_eq!(classed(&answer("csat", 6, None).view()), None, "outside its scale");
        assert_eq!(classed(&answer("rating", 4, None).view()), None);
    }
}
