//! Messages that wait before the producer: all of them are answered for, each once, and in the order of their key.

use std::collections::HashMap;

use rdkafka::Message;
use touchstream_schemas::avro;
use touchstream_schemas::codec::Decoder;
use touchstream_schemas::event::CheckoutEvent;

use crate::harness::{KEY, Server, block_on, brokers, create_topics, post_with, read_topic};

const CLIENTS: usize = 16;
const REQUESTS: usize = 20;
const EVENTS: usize = 25;

#[test]
fn what_waits_for_earlier_messages_keeps_its_order_and_is_answered_for() {
    let brokers = brokers();
    block_on(create_topics(&brokers, "hold"));
    let mut server = Server::start(&brokers, "hold", |settings| {
        settings.ingest.hold_while_sending = true;
        settings.ingest.linger_ms = 0.1;
    });
    let address = server.address().to_owned();
    let authorization = format!("Authorization: Bearer {KEY}");
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (address, authorization) = (&address, &authorization);
            scope.spawn(move || {
                for request in 0..REQUESTS {
                    let lines: String = (0..EVENTS)
                        .map(|event| {
                            let number = request * EVENTS + event;
                            format!(
                                "{{\"id\":\"{client}-{number}\",\"type\":\"checkout.step\",\
                                 \"data\":{{\"checkout_id\":\"k-{client}\",\"step\":\"cart\",\"index\":{number}}}}}\n"
                            )
                        })
                        .collect();
                    let headers = [&**authorization, "Content-Type: application/x-ndjson"];
                    let reply = post_with(address, "/v1/events", &headers, lines.as_bytes());
                    assert_eq!((reply.status, &reply.json()["accepted"]), (202, &EVENTS.into()));
                }
            });
        }
    });
    server.stop();

    let decoder = Decoder::new(&[&avro::CHECKOUT_EVENT]);
    let mut seen: HashMap<String, Vec<i32>> = HashMap::new();
    for record in read_topic(&brokers, "hold.checkout") {
        let event: CheckoutEvent<'_> = decoder.decode(record.payload().unwrap()).unwrap();
        seen.entry(event.checkout_id.unwrap().to_owned()).or_default().push(event.step_index.unwrap());
    }
    assert_eq!(seen.len(), CLIENTS);
    for (checkout, numbers) in seen {
        let expected: Vec<i32> = (0..).take(REQUESTS * EVENTS).collect();
        assert_eq!(numbers, expected, "{checkout}");
    }
}
