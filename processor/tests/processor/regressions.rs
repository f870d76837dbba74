//! A regression is told once, whoever dies meanwhile, and once when it is over.

use std::sync::Arc;

use prometheus::Registry;
use touchstream_processor::Metrics;
use touchstream_processor::roll_up::RollUp;
use touchstream_runtime::touchpoints::Touchpoints;
use touchstream_schemas::avro;
use touchstream_schemas::codec::{Decoder, Encoder, Framing};
use touchstream_schemas::event::Family;
use touchstream_schemas::panes::{CheckoutCounts, Pane, StepCounts, Watermark, metric};
use touchstream_schemas::regressions::Regression;
use touchstream_schemas::time::{EventTime, Millis};
use touchstream_schemas::topics::Topics;

use crate::log::{Log, Owner, PARTITIONS};

const START: EventTime = EventTime(1_767_571_200_000);
const CELL: Millis = Millis::MINUTE.times(10);

/// One shop's checkout on the web: forty attempts in ten minutes.
struct Shop {
    log: Log,
    topics: Topics,
    touchpoints: Arc<Touchpoints>,
    owner: Option<Owner>,
    registry: Registry,
    at: EventTime,
}

impl Shop {
    fn new() -> Shop {
        let text =
            "[tenants.shop.touchpoints.checkout]\nowner = \"payments\"\nrunbook = \"https://wiki/pay\"\n";
        let touchpoints = Arc::new(Touchpoints::parse("touchpoints.toml", text).unwrap());
        let (log, topics) = (Log::default(), Topics::new("cx"));
        Shop { log, topics, touchpoints, owner: None, registry: Registry::new(), at: START }
    }

    fn restart(&mut self) {
        self.registry = Registry::new();
        let metrics = Metrics::register(&self.registry).unwrap();
        let raw = i32::try_from(Family::ALL.len()).unwrap() * PARTITIONS;
        let stage = RollUp::new(&crate::events::default_settings(), self.touchpoints.clone(), raw, metrics);
        self.owner = Some(Owner::take_over(Box::new(stage), &self.log, self.at));
    }

    fn append<T: serde::Serialize>(&mut self, schema: &'static avro::AvroSchema, key: &str, value: &T) {
        let value = Encoder::new(schema, Framing::SingleObject).encode(value).unwrap();
        for partition in 0..PARTITIONS {
            if schema.name == avro::WATERMARK.name || partition == 0 {
                self.log.append(&self.topics.panes(), partition, key, value.clone(), self.at);
            }
        }
    }

    /// Goes on for some time, in which so many of forty give up on mobile devices, and five of forty elsewhere.
    fn go_on(&mut self, cells: i64, mobile: i64) {
        for _ in 0..cells {
            for (device, dropped) in [("mobile", mobile), ("desktop", 5)] {
                let step = StepCounts { step: "payment", step_index: Some(5), reached: 40, dropped };
                let checkout = CheckoutCounts { steps: vec![step], ..CheckoutCounts::default() };
                self.append(
                    &avro::PANE,
                    "shop",
                    &Pane {
                        tenant: "shop",
                        metric: metric::CHECKOUT,
                        detail: "",
                        touchpoint: "checkout",
                        channel: "web",
                        device,
                        dimension: "",
                        dimension_value: "",
                        minute: Some(self.at),
                        scores: None,
                        checkout: Some(checkout),
                        response: None,
                        quality: None,
                        service: None,
                        app: None,
                        now: Vec::new(),
                    },
                );
            }
            self.at = self.at + CELL;
            for family in Family::ALL {
                for partition in 0..PARTITIONS {
                    let topic = self.topics.raw(family);
                    self.append(
                        &avro::WATERMARK,
                        "w",
                        &Watermark { topic: &topic, partition, watermark: self.at },
                    );
                }
            }
            if self.owner.is_none() {
                self.restart();
            }
            let owner = self.owner.as_mut().unwrap();
            owner.step(&mut self.log, 1_000, self.at + Millis(1_000), false);
            self.log.discard_values(&self.topics.windows());
        }
    }

    /// State and contributor of every change that says more than that there are samples now.
    fn told(&self) -> Vec<String> {
        let decoder = Decoder::new(&[&avro::REGRESSION]);
        let values = self.log.values(&self.topics.regressions());
        let changes = values.iter().map(|(_, value)| decoder.decode::<Regression<'_>>(value).unwrap());
        let told = changes.filter(|change| ["firing", "resolved"].contains(&change.state));
        told.map(|change| {
            let Regression { rule, channel, detail, state, severity, owner, contributor, .. } = change;
            assert!(change.samples >= 200 && change.baseline.is_some_and(|usual| usual < 0.15), "{change:?}");
            format!("{rule} {channel} {detail} {state} {severity} {owner} {}", contributor.unwrap_or("-"))
        })
        .collect()
    }

    fn shown(&self) -> usize {
        let families = self.registry.gather();
        let shown = families.iter().find(|family| family.name() == "touchstream_cx_regression_active");
        shown.map_or(0, |family| family.get_metric().len())
    }
}

#[test]
fn a_regression_is_told_once_and_once_when_it_is_over() {
    let mut shop = Shop::new();
    shop.go_on(6 * 24 * 9, 5);
    assert_eq!(shop.told(), Vec::<String>::new(), "nothing is wrong");
    let fired = "drop_off_rose all payment firing page payments channel=web";
    shop.go_on(6 * 3, 16);
    assert_eq!(shop.told(), [fired], "the channel is part of the touchpoint, and told by it");
    assert_eq!(shop.shown(), 1);
    // Whoever takes over knows of it.
    shop.restart();
    shop.go_on(1, 16);
    assert_eq!(shop.shown(), 1);
    shop.go_on(6 * 2, 16);
    assert_eq!(shop.told(), [fired]);
    shop.go_on(6 * 3, 5);
    shop.restart();
    shop.go_on(6 * 26, 5);
    let resolved = "drop_off_rose all payment resolved page payments -";
    assert_eq!(shop.told(), [fired, resolved]);
    assert_eq!(shop.shown(), 0);
}
