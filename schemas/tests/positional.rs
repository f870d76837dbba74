//! Events that are read by position are what the general decoder reads, and whatever it refuses is refused, byte by damaged byte.

use touchstream_schemas::avro;
use touchstream_schemas::codec::{Decoder, Encoder, Framing};
use touchstream_schemas::event::{AppEvent, ChatEvent, CheckoutEvent, Family, FeedbackEvent};

const COMMON: &str = r#""tenant":"shop","source":"web","id":"018f-1","time":1700000000123,"received_at":1700000000200,
    "sent_at":1700000000150,"seq":17,"touchpoint":"checkout","channel":"web","device":"mobile","member":true,
    "locale":"de-DE","consent":["analytics","marketing"],"traffic":"human","extra":{"colour":"blaß","size":"xl"}"#;

/// The same numbers in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % limit
    }
}

macro_rules! compare {
    ($event:ident, $type:literal, $own:literal) => {{
        let json = format!(r#"{{{COMMON},"type":"{}",{}}}"#, $type, $own);
        let event: $event<'_> = serde_json::from_str(&json).expect("valid JSON");
        let family = Family::of_type($type).expect("a known family");
        let mut encoder = Encoder::new(avro::of_family(family), Framing::SingleObject);
        let bytes = encoder.encode(&event).expect("it fits its schema");
        let decoder = Decoder::new(&[avro::of_family(family)]);
        assert_eq!(decoder.decode_event::<$event<'_>>(&bytes).expect("readable"), event);
        let mut random = Random(7);
        for _ in 0..20_000 {
            let mut damaged = bytes.clone();
            for _ in 0..1 + random.below(2) {
                let place = 10 + random.below(damaged.len() - 10);
                damaged[place] = random.below(256).to_le_bytes()[0];
            }
            damaged.truncate(10 + random.below(damaged.len() * 2));
            let (quick, general) =
                (decoder.decode_event::<$event<'_>>(&damaged), decoder.decode::<$event<'_>>(&damaged));
            match (quick, general) {
                (Ok(quick), Ok(general)) => {
                    assert_eq!(format!("{quick:?}"), format!("{general:?}"), "{damaged:?}");
                }
                (Err(_), Err(_)) => {}
                (quick, general) => panic!("{quick:?} is not {general:?}: {damaged:?}"),
            }
        }
    }};
}

#[test]
fn reading_by_position_is_reading_by_name() {
    compare!(
        CheckoutEvent,
        "checkout.completed",
        r#""checkout_id":"k-9","step_index":3,"extra_cost":"-0.0001","value":"12.5","currency":"EUR","items":3"#
    );
    compare!(
        ChatEvent,
        "chat.message",
        r#""conversation_id":"c-1","sender":"agent","public":false,"queue_s":1.5"#
    );
    compare!(
        FeedbackEvent,
        "feedback.answered",
        r#""survey_id":"nps","metric":"nps","score":9,"rating":4.5"#
    );
    compare!(
        AppEvent,
        "app.response",
        r#""name":"search","duration_ms":120,"status":503,"fatal":false,"due_at":1700000000000"#
    );
}
