//! From an event's append to its effect in `cx.windows`, as a reader of committed records sees it, at 5,000 events/s.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::producer::{DeliveryResult, ProducerContext, ThreadedProducer};
use rdkafka::{ClientContext, Offset, TopicPartitionList};
use touchstream_runtime::kafka;
use touchstream_schemas::avro;
use touchstream_schemas::codec::Decoder;
use touchstream_schemas::event::Family;
use touchstream_schemas::time::EventTime;
use touchstream_schemas::topics::Topics;
use touchstream_schemas::windows::Window;

use crate::events::Live;
use crate::peers::Peers;
use crate::report::Report;
use crate::run::Running;

const PREFIX: &str = "live";
const RATE: u32 = 5_000;
const WARM_UP: Duration = Duration::from_secs(8);
const LASTS: Duration = Duration::from_secs(40);
/// Every so many events one is the only one of its touchpoint, so that its effect can be told from all others.
const PROBE_EVERY: u32 = 1_000;

/// When Kafka appended each probe.
#[derive(Clone, Default)]
struct Appended(Arc<Mutex<HashMap<String, i64>>>);

impl ClientContext for Appended {}

impl ProducerContext for Appended {
    type DeliveryOpaque = Box<String>;
    fn delivery(&self, result: &DeliveryResult<'_>, probe: Box<String>) {
        let message = result.as_ref().expect("Kafka takes the events");
        if !probe.is_empty() {
            let at = message.timestamp().to_millis().expect("raw topics carry append times");
            self.0.lock().expect("nothing panics in between").insert(*probe, at);
        }
    }
}

pub(crate) fn latency(peers: &Peers<'_>, report: &mut Report) {
    let machine = peers.machine;
    machine.create_topics(PREFIX, 2);
    let process = peers.start_processor(PREFIX, "live-group");
    Running::wait_ready(peers.admin_port);
    let appended = Appended::default();
    let is_over = Arc::new(AtomicBool::new(false));
    let reader = {
        let (settings, is_over) = (machine.settings.clone(), is_over.clone());
        let ends = machine.ends(&Topics::new(PREFIX).windows());
        std::thread::spawn(move || {
            let config = kafka::consumer(&settings, "bench-latency", "bench-latency").expect("no secrets");
            let consumer: BaseConsumer = config.create().expect("a consumer can be made");
            let (topic, mut list) = (Topics::new(PREFIX).windows(), TopicPartitionList::new());
            for (partition, _) in ends {
                list.add_partition_offset(&topic, partition, Offset::Beginning).expect("a valid offset");
            }
            consumer.assign(&list).expect("partitions can be assigned");
            let decoder = Decoder::new(&[&avro::WINDOW]);
            let mut visible: HashMap<String, i64> = HashMap::new();
            while !is_over.load(Ordering::Relaxed) {
                let Some(Ok(message)) = consumer.poll(Duration::from_millis(20)) else { continue };
                let now = EventTime::now().0;
                let window: Window<'_> =
                    decoder.decode(message.payload().expect("windows have values")).expect("readable");
                if window.touchpoint.starts_with("probe-") && !visible.contains_key(window.touchpoint) {
                    visible.insert(window.touchpoint.to_owned(), now);
                }
            }
            visible
        })
    };
    let config = kafka::producer(&machine.settings, "bench-latency").expect("no secrets");
    let producer: ThreadedProducer<Appended> =
        config.create_with_context(appended.clone()).expect("a producer can be made");
    let (mut live, topic) = (Live::new(), Topics::new(PREFIX).raw(Family::Feedback));
    let began = Instant::now();
    let mut sent = 0_u32;
    while began.elapsed() < LASTS {
        let due = (began.elapsed().as_secs_f64() * f64::from(RATE)) as u32;
        while sent < due {
            sent += 1;
            let is_probe = sent.is_multiple_of(PROBE_EVERY)
                && began.elapsed() > WARM_UP
                && began.elapsed() + WARM_UP < LASTS;
            let probe = if is_probe { format!("probe-{sent}") } else { String::new() };
            live.send(&producer, &topic, &probe);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    is_over.store(true, Ordering::Relaxed);
    let visible = reader.join().expect("the reader ends");
    process.kill();
    let appended = appended.0.lock().expect("nothing panics any more");
    let mut seconds: Vec<f64> = appended
        .iter()
        .map(|(probe, at)| visible.get(probe).map_or(f64::INFINITY, |seen| (seen - at) as f64 / 1_000.0))
        .collect();
    seconds.sort_by(f64::total_cmp);
    report.note(format!("Latency: {} probes among {sent} events at {RATE} events/s.", seconds.len()));
    let at = |share: f64| seconds[((seconds.len() - 1) as f64 * share) as usize];
    report.limit("p50 of seconds from append to cx.windows", at(0.5), 1.0);
    report.limit("p99 of seconds from append to cx.windows", at(0.99), 2.5);
    machine.delete_topics(PREFIX, false);
}
