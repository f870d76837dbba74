//! A regression is told once, whoever dies meanwhile, and once when it is over; what was lost on its way is told apart from what customers
//! did, and what people noted is heeded.

use std::sync::Arc;

use prometheus::Registry;
use touchstream_processor::Metrics;
use touchstream_processor::marks::Known;
use touchstream_processor::measure::Measure;
use touchstream_processor::regressions::MarksSource;
use touchstream_processor::roll_up::RollUp;
use touchstream_runtime::touchpoints::Touchpoints;
use touchstream_schemas::avro;
use touchstream_schemas::codec::{Decoder, Encoder, Framing};
use touchstream_schemas::event::{AppEvent, Family};
use touchstream_schemas::marks::{AliveMark, IncidentMark, Mark};
use touchstream_schemas::panes::{CheckoutCounts, Pane, QualityCounts, StepCounts, Watermark, metric};
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
    marks: MarksSource,
    /// Events come of other touchpoints.
    has_others: bool,
    /// An ingest is there, which notes that it is.
    ingest: Option<&'static str>,
    at: EventTime,
}

impl Shop {
    fn new() -> Shop {
        Shop::stating("")
    }

    /// What its touchpoint states beyond its owner.
    fn stating(rules: &str) -> Shop {
        let mut shop = Shop {
            log: Log::default(),
            topics: Topics::new("cx"),
            touchpoints: Arc::default(),
            owner: None,
            registry: Registry::new(),
            marks: MarksSource::default(),
            has_others: false,
            ingest: None,
            at: START,
        };
        shop.state(rules);
        shop
    }

    fn state(&mut self, rules: &str) {
        let text = format!(
            "[tenants.shop.touchpoints.checkout]\nowner = \"payments\"\nrunbook = \"https://wiki/pay\"\n{rules}"
        );
        self.touchpoints = Arc::new(Touchpoints::parse("touchpoints.toml", &text).unwrap());
    }

    fn restart(&mut self) {
        self.registry = Registry::new();
        let metrics = Metrics::register(&self.registry).unwrap();
        let raw = i32::try_from(Family::ALL.len()).unwrap() * PARTITIONS;
        let stage = RollUp::new(&crate::events::default_settings(), self.touchpoints.clone(), raw, metrics)
            .with_marks(self.marks.clone());
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

    fn note(&mut self, key: &str, mark: &Mark) {
        let topic = self.topics.marks();
        self.log.append(&topic, 0, key, mark.to_json(), self.at);
    }

    /// What the processor's follower does.
    fn follow_marks(&self) {
        let mut known = Known::default();
        for (key, value) in self.log.values(&self.topics.marks()) {
            known.take(key, Some(value));
        }
        self.marks.set(known.marks(self.at));
    }

    fn pane<'p>(&self, metric: &'p str, device: &'p str) -> Pane<'p> {
        Pane {
            tenant: "shop",
            metric,
            detail: "",
            touchpoint: "checkout",
            channel: "web",
            device,
            dimension: "",
            dimension_value: "",
            minute: Some(self.at),
            scores: None,
            checkout: None,
            response: None,
            quality: None,
            service: None,
            app: None,
            now: Vec::new(),
        }
    }

    /// Goes on for some time, in which so many of forty give up on mobile devices, and five of forty elsewhere.
    fn go_on(&mut self, cells: i64, mobile: i64) {
        for _ in 0..cells {
            for (device, dropped) in [("mobile", mobile), ("desktop", 5)] {
                let step = StepCounts { step: "payment", step_index: Some(5), reached: 40, dropped };
                let checkout = CheckoutCounts { steps: vec![step], ..CheckoutCounts::default() };
                let pane = Pane { checkout: Some(checkout), ..self.pane(metric::CHECKOUT, device) };
                self.append(&avro::PANE, "shop", &pane);
            }
            self.pass();
        }
    }

    /// Goes on for some time in which nothing comes of the checkout.
    fn fall_silent(&mut self, cells: i64) {
        (0..cells).for_each(|_| self.pass());
    }

    fn pass(&mut self) {
        if self.has_others {
            let quality = Some(QualityCounts { accepted: 300, ..QualityCounts::default() });
            let pane = Pane { quality, detail: "app", ..self.pane(metric::QUALITY, "") };
            self.append(&avro::PANE, "shop", &Pane { touchpoint: "", channel: "", ..pane });
        }
        if let Some(run) = self.ingest {
            let hour = self.at.floor_to(Millis::HOUR);
            let minutes = (0..60).filter(|minute| hour + Millis::MINUTE.times(*minute) < self.at + CELL);
            let mark = AliveMark { hour, minutes: minutes.fold(0, |minutes, minute| minutes | 1 << minute) };
            self.note(&mark.key(run), &Mark::Alive(mark));
        }
        self.at = self.at + CELL;
        for family in Family::ALL {
            for partition in 0..PARTITIONS {
                let topic = self.topics.raw(family);
                let told = Watermark { topic: &topic, partition, watermark: self.at };
                self.append(&avro::WATERMARK, "w", &told);
            }
        }
        if self.owner.is_none() {
            self.restart();
        }
        self.follow_marks();
        let owner = self.owner.as_mut().unwrap();
        owner.step(&mut self.log, 1_000, self.at + Millis(1_000), false);
        self.log.discard_values(&self.topics.windows());
    }

    /// State and contributor of every change that says more than that there are samples now.
    fn told(&self) -> Vec<String> {
        let decoder = Decoder::new(&[&avro::REGRESSION]);
        let values = self.log.values(&self.topics.regressions());
        let changes = values.iter().map(|(_, value)| decoder.decode::<Regression<'_>>(value).unwrap());
        let mut told: Vec<_> =
            changes.filter(|change| ["firing", "resolved"].contains(&change.state)).collect();
        told.sort_by_key(|change| change.at);
        told.iter()
            .map(|change| {
                let Regression { rule, channel, detail, state, severity, owner, contributor, .. } = change;
                if *rule == "drop_off_rose" && change.severity == "page" && change.baseline.is_some() {
                    assert!(
                        change.samples >= 200 && change.baseline.is_some_and(|usual| usual < 0.15),
                        "{change:?}"
                    );
                }
                format!("{rule} {channel} {detail} {state} {severity} {owner} {}", contributor.unwrap_or("-"))
            })
            .collect()
    }

    /// What was changed before the last regression that was told.
    fn suspects(&self) -> Vec<String> {
        let decoder = Decoder::new(&[&avro::REGRESSION]);
        let values = self.log.values(&self.topics.regressions());
        let changes = values.iter().map(|(_, value)| decoder.decode::<Regression<'_>>(value).unwrap());
        let last = changes.filter(|change| change.state == "firing").last();
        last.map(|last| last.suspects.iter().map(|suspect| suspect.name.to_owned()).collect())
            .unwrap_or_default()
    }

    /// Values of the gauges of regressions: 1 for those that last, 0 for those that ended.
    fn shown(&self) -> Vec<f64> {
        let families = self.registry.gather();
        let shown = families.iter().find(|family| family.name() == "touchstream_cx_regression_active");
        let metrics = shown.map_or(&[][..], |family| family.get_metric());
        metrics.iter().map(|metric| metric.get_gauge().get_value()).collect()
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
    assert_eq!(shop.shown(), [1.0]);
    // Whoever takes over knows of it, before anything comes.
    shop.restart();
    assert_eq!(shop.shown(), Vec::<f64>::new());
    let (owner, later) = (shop.owner.as_mut().unwrap(), shop.at + Millis(3_000));
    owner.step(&mut shop.log, 1_000, later, false);
    assert_eq!(shop.shown(), [1.0]);
    shop.go_on(1, 16);
    assert_eq!(shop.shown(), [1.0]);
    shop.go_on(6 * 2, 16);
    assert_eq!(shop.told(), [fired]);
    let mut ends = Vec::new();
    for _ in 0..6 * 3 {
        shop.go_on(1, 5);
        ends.push(shop.shown());
    }
    shop.restart();
    shop.go_on(6 * 26, 5);
    let resolved = "drop_off_rose all payment resolved page payments -";
    assert_eq!(shop.told(), [fired, resolved]);
    ends.dedup();
    assert_eq!(ends, [vec![1.0], vec![0.0], vec![]], "its end is said, and then nothing");
}

#[test]
fn a_silent_touchpoint_is_told_and_an_outage_of_what_is_before_it_is_not() {
    let mut shop = Shop::new();
    (shop.has_others, shop.ingest) = (true, Some("first"));
    shop.go_on(6 * 24 * 8, 5);
    assert_eq!(shop.told(), Vec::<String>::new(), "nothing is wrong");
    // Only the checkout: it is silent.
    shop.fall_silent(6);
    let mut told = vec!["touchpoint_silent all checkout firing page payments -".to_owned()];
    assert_eq!(shop.told(), told);
    shop.go_on(6, 5);
    told.push("touchpoint_silent all checkout resolved page payments -".to_owned());
    assert_eq!(shop.told(), told);
    shop.go_on(6 * 24, 5);

    // Nothing comes of anybody: whose way to us is broken is no silent touchpoint.
    shop.has_others = false;
    shop.fall_silent(3);
    shop.restart();
    shop.fall_silent(9);
    told.push("nothing_arrives all quality firing page  -".to_owned());
    assert_eq!(shop.told(), told);
    shop.has_others = true;
    shop.go_on(6 * 4, 5);
    told.push("nothing_arrives all quality resolved page  -".to_owned());
    assert_eq!(shop.told(), told);
    shop.go_on(6 * 24, 5);

    // Ingest itself is away: no rule says anything, of nobody.
    (shop.has_others, shop.ingest) = (false, None);
    shop.fall_silent(12);
    (shop.has_others, shop.ingest) = (true, Some("second"));
    shop.go_on(6 * 24, 5);
    assert_eq!(shop.told(), told);

    // And afterwards everything is judged as before.
    shop.fall_silent(6);
    told.push("touchpoint_silent all checkout firing page payments -".to_owned());
    assert_eq!(shop.told(), told);
}

#[test]
fn an_incident_is_no_baseline_and_a_change_is_a_suspect() {
    let tell = |with_incident: bool| {
        let mut shop = Shop::stating("rules.drop_off_rose.min_effect = 0.15\n");
        shop.go_on(6 * 24 * 7, 5);
        // A day on which more gave up than usual, and everybody knows why.
        let from = shop.at;
        shop.go_on(6 * 24, 16);
        if with_incident {
            let (tenant, touchpoint) = (Some("shop".to_owned()), Some("checkout".to_owned()));
            let mark = IncidentMark { tenant, touchpoint, from, to: shop.at, note: None };
            shop.note(&IncidentMark::key(&mark.id()), &Mark::Incident(mark));
        }
        shop.go_on(6 * 24 * 6, 5);
        let mut measure = Owner::take_over(Box::new(measure(&shop.touchpoints)), &shop.log, shop.at);
        let event = AppEvent {
            tenant: "shop",
            id: "1",
            event_type: "app.change",
            time: shop.at,
            received_at: shop.at,
            name: Some("release 7"),
            ..crate::events::empty_app()
        };
        let value = Encoder::new(&avro::APP_EVENT, Framing::SingleObject).encode(&event).unwrap();
        shop.log.append(&shop.topics.raw(Family::App), 0, "shop", value, shop.at);
        measure.step(&mut shop.log, 1_000, shop.at + Millis(1_000), false);
        // The same day of the week: nearly three times as many give up as usual, not twice as many as on that day.
        shop.go_on(6 * 24, 19);
        (shop.told(), shop.suspects())
    };
    let (told, suspects) = tell(true);
    assert_eq!(told, ["drop_off_rose all payment firing page payments channel=web"]);
    assert_eq!(suspects, ["release 7"]);
    assert_eq!(tell(false), (Vec::new(), Vec::new()), "what was usual that day hides it");
}

fn measure(touchpoints: &Arc<Touchpoints>) -> Measure {
    let metrics = Metrics::register(&Registry::new()).unwrap();
    Measure::new(&crate::events::default_settings(), touchpoints.clone(), PARTITIONS, metrics)
}

#[test]
fn a_touchpoint_states_its_own_thresholds_and_which_rules_watch_it() {
    let told = |rules: &str| {
        let mut shop = Shop::stating(rules);
        shop.go_on(6 * 24 * 8, 5);
        shop.go_on(6 * 6, 16);
        shop.told().len()
    };
    assert_eq!(told(""), 1);
    assert_eq!(told("rules.drop_off_rose.min_effect = 0.3\n"), 0, "this is no change that matters there");
    assert_eq!(told("rules.drop_off_rose.min_samples = 20_000\n"), 0);
    assert_eq!(told("rules.drop_off_rose.enabled = false\n"), 0);

    // Whoever switches a rule off while it fires does not want to hear of it any more.
    let mut shop = Shop::new();
    shop.go_on(6 * 24 * 8, 5);
    shop.go_on(6 * 6, 16);
    shop.state("rules.drop_off_rose.enabled = false\n");
    shop.restart();
    shop.go_on(6, 16);
    let ended = shop.told();
    assert_eq!(ended.len(), 2);
    assert!(ended[1].contains("payment resolved"), "{ended:?}");
    shop.restart();
    shop.go_on(6, 16);
    assert_eq!(shop.told(), ended, "once");
    assert_eq!(shop.shown(), Vec::<f64>::new());
}
