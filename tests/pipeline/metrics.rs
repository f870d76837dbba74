//! The processor's metrics by the names of the contract, from a machine that runs.

use std::time::Duration;

use crate::harness::machine::Machine;
use crate::harness::wait::until;
use crate::one_event::send;

/// What the contract names and the processor owes, with a label set each.
const OWED: [&str; 9] = [
    r#"touchstream_processor_events_total{family="feedback"}"#,
    r#"touchstream_processor_late_events_total{family="chat"}"#,
    r#"touchstream_processor_duplicate_events_total{family="app"}"#,
    r#"touchstream_processor_watermark_lag_seconds{partition="0",topic="cx.chat"}"#,
    r#"touchstream_processor_transaction_seconds_count{stage="measure"}"#,
    r#"touchstream_consumer_lag{group="touchstream-processor-measure",partition="0",topic="cx.feedback"}"#,
    r#"touchstream_cx_nps{channel="web",device="all",tenant="shop",touchpoint="order",window="5m"} 100"#,
    r#"touchstream_cx_drop_off_ratio{channel="all",device="all",tenant="shop",touchpoint="all",window="1h"} 1"#,
    r#"touchstream_cx_response_p95_seconds{channel="all",device="all",tenant="shop",touchpoint="help",window="24h"} "#,
];

#[test]
fn the_processor_shows_what_the_contract_names() {
    let mut machine = Machine::start();
    for event in [
        r#"{"type":"feedback.answered","context":{"touchpoint":"order","channel":"web"},"data":{"survey_id":"nps","metric":"nps","score":10}}"#,
        r#"{"type":"checkout.started","data":{"checkout_id":"k"}}"#,
        r#"{"type":"checkout.abandoned","data":{"checkout_id":"k","reason":"extra_cost"}}"#,
        r#"{"type":"chat.message","context":{"touchpoint":"help"},"data":{"conversation_id":"c","sender":"customer"}}"#,
        r#"{"type":"chat.message","context":{"touchpoint":"help"},"data":{"conversation_id":"c","sender":"agent"}}"#,
    ] {
        assert_eq!(send(&machine, event).0, 202, "{event}");
    }
    let processor = machine.service("processor");
    until("all metrics are shown", Duration::from_secs(90), || {
        let text = processor.metrics()?;
        let missing: Vec<_> =
            OWED.iter().filter(|owed| !text.lines().any(|line| line.starts_with(**owed))).collect();
        if missing.is_empty() { Ok(()) } else { Err(format!("{missing:#?} not in\n{text}")) }
    });
    let labels = ["tenant", "touchpoint", "channel", "device", "window"];
    for line in processor
        .metrics()
        .expect("metrics answer")
        .lines()
        .filter(|line| line.starts_with("touchstream_cx_nps{"))
    {
        let count = line.matches("=\"").count();
        assert!(
            count == labels.len() && labels.iter().all(|label| line.contains(&format!("{label}=\""))),
            "{line}"
        );
    }
}
