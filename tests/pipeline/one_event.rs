//! One event by HTTP is a row within 2 s and in the rolling windows within 5 s.

use std::time::Duration;

use serde_json::Value;

use crate::harness::machine::{KEY, Machine, TENANT};
use crate::harness::wait::{equal, until};

/// Sends one event and gives the status and the answer.
pub(crate) fn send(machine: &Machine, body: &str) -> (u16, Value) {
    let mut response = ureq::post(format!("{}/v1/events", machine.ingest()))
        .config()
        .http_status_as_error(false)
        .build()
        .header("authorization", &format!("Bearer {KEY}"))
        .content_type("application/json")
        .send(body)
        .expect("ingest answers");
    let text = response.body_mut().read_to_string().expect("the answer is text");
    (response.status().as_u16(), serde_json::from_str(&text).unwrap_or(Value::Null))
}

#[test]
fn one_event_is_a_row_in_two_seconds_and_in_the_windows_in_five() {
    let machine = Machine::start();
    let clickhouse = machine.reader();
    // The first event of all meets cold caches; the promise is about a machine that runs.
    for (round, is_measured) in [("warm-up", false), ("measured", true)] {
        let patience = |seconds| Duration::from_secs(if is_measured { seconds } else { 60 });
        let event = format!(
            r#"{{"id":"{round}","type":"feedback.answered","context":{{"touchpoint":"{round}","channel":"web"}},"data":{{"survey_id":"nps","metric":"nps","score":9}}}}"#
        );
        let (status, answer) = send(&machine, &event);
        assert_eq!((status, &answer["accepted"]), (202, &1.into()), "{answer}");
        let row =
            format!("SELECT tenant, type, touchpoint, score FROM cx.events_feedback WHERE id = '{round}'");
        let expected = format!("{TENANT}\tfeedback.answered\t{round}\t9");
        until("the event is a row", patience(2), || equal(&clickhouse.query(&row)?, &expected));
        let windows = format!(
            "SELECT window, n, promoters_n, value FROM cx.nps WHERE touchpoint = '{round}' AND channel = 'all' AND device = 'all' \
             AND window IN ('5m', '1h') AND window_end > now() - INTERVAL 1 MINUTE \
             ORDER BY window, window_end LIMIT 1 BY window"
        );
        let expected = "1h\t1\t1\t100\n5m\t1\t1\t100".to_owned();
        until("the event is in the windows", patience(5), || equal(&clickhouse.query(&windows)?, &expected));
    }
    let mut tenants =
        ureq::get(format!("{}/api/tenants", machine.console())).call().expect("the console answers");
    let tenants: Value = tenants.body_mut().read_json().expect("tenants are JSON");
    assert_eq!(tenants, serde_json::json!([{ "tenant": TENANT }]), "the console knows who sent it");
    machine.stop();
}
