//! The least that any consumer does: read and decode, nothing else. Runs as a process of its own.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};
use touchstream_runtime::kafka;
use touchstream_runtime::settings::{self, KafkaSettings};
use touchstream_schemas::avro;
use touchstream_schemas::codec::Decoder;
use touchstream_schemas::event::{AppEvent, ChatEvent, CheckoutEvent, Event, Family, FeedbackEvent};
use touchstream_schemas::time::EventTime;
use touchstream_schemas::topics::Topics;

use crate::run::cpu_seconds;

/// Reads every prepared event under `prefix` once and prints events a second and microseconds of CPU an event.
pub(crate) fn main(brokers: &str, prefix: &str, by_name: bool) {
    let mut kafka: KafkaSettings = settings::load(None).expect("the defaults are valid").settings.kafka;
    brokers.clone_into(&mut kafka.brokers);
    let mut config = kafka::consumer(&kafka, "touchstream-bare", "touchstream-bare").expect("no secrets");
    config.set("enable.partition.eof", "false");
    let consumer: BaseConsumer = config.create().expect("a consumer can be made");
    let topics = Topics::new(prefix);
    let (mut list, mut total) = (TopicPartitionList::new(), 0);
    for family in Family::ALL {
        let topic = topics.raw(family);
        let metadata = consumer.fetch_metadata(Some(&topic), Duration::from_secs(30)).expect("Kafka answers");
        for partition in metadata.topics()[0].partitions() {
            list.add_partition_offset(&topic, partition.id(), Offset::Beginning).expect("a valid offset");
            let (_, end) = consumer
                .fetch_watermarks(&topic, partition.id(), Duration::from_secs(30))
                .expect("an answer");
            total += end;
        }
    }
    let names: Vec<(String, Family)> = Family::ALL.map(|family| (topics.raw(family), family)).into();
    let decoder = Decoder::new(&Family::ALL.map(avro::of_family));
    consumer.assign(&list).expect("partitions can be assigned");
    let (mut read, mut sum) = (0_i64, 0_i64);
    let mut start = None;
    while read < total {
        let Some(message) = consumer.poll(Duration::from_secs(1)) else { continue };
        let message = message.expect("Kafka is there");
        let value = message.payload().expect("events have values");
        let (_, family) = names.iter().find(|(name, _)| name == message.topic()).expect("one of four");
        let time = match family {
            Family::Checkout => time_of(&decoder, value, by_name, |event: &CheckoutEvent<'_>| event.time),
            Family::Chat => time_of(&decoder, value, by_name, |event: &ChatEvent<'_>| event.time),
            Family::Feedback => time_of(&decoder, value, by_name, |event: &FeedbackEvent<'_>| event.time),
            Family::App => time_of(&decoder, value, by_name, |event: &AppEvent<'_>| event.time),
        };
        sum ^= time.0;
        read += 1;
        if start.is_none() && read >= total / 4 {
            start = Some((Instant::now(), read, cpu_seconds(std::process::id())));
        }
    }
    std::hint::black_box(sum);
    let (at, from, cpu) = start.expect("there were events");
    #[expect(clippy::cast_precision_loss, reason = "some millions")]
    let events = (total - from) as f64;
    #[expect(clippy::print_stdout, reason = "the parent process reads it")]
    {
        println!(
            "{} {}",
            events / at.elapsed().as_secs_f64(),
            (cpu_seconds(std::process::id()) - cpu) * 1e6 / events
        );
    }
}

/// Decodes an event as any reader may (by name), or as the processor does with events of its own release (by position).
fn time_of<'b, T: Event<'b>>(
    decoder: &Decoder,
    value: &'b [u8],
    by_name: bool,
    time: impl Fn(&T) -> EventTime,
) -> EventTime {
    let event = if by_name { decoder.decode::<T>(value) } else { decoder.decode_event::<T>(value) };
    time(&event.expect("what was prepared can be decoded"))
}
