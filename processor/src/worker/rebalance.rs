//! What the group tells the worker, as messages: librdkafka's callback only notes them, the worker's loop acts on them in order.
//!
//! librdkafka's contract: after an assignment nothing is fetched until `assign` is called, which may happen after the callback;
//! a revocation is acknowledged by `unassign`. Callbacks run inside `poll`, on the worker's thread.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::types::{RDKafkaErrorCode, RDKafkaRespErr};

use super::transaction::InFlight;
use crate::stage::InputPartition;

/// A change of the assignment.
#[derive(Debug)]
pub(super) enum GroupEvent {
    /// These partitions, and no others, are ours now (eager protocol).
    Assigned(Vec<InputPartition>),
    /// No partition is ours any more.
    Revoked,
    /// The group refused us.
    Failed(KafkaError),
}

/// How long a revocation waits for the commit that is on its way; the group itself waits longer.
const COMMIT_PATIENCE: Duration = Duration::from_secs(30);

/// Notes what the group says.
#[derive(Debug)]
pub(super) struct GroupContext {
    events: Mutex<VecDeque<GroupEvent>>,
    /// Asked for every record, so it takes no lock.
    is_pending: AtomicBool,
    in_flight: InFlight,
}

impl GroupContext {
    /// A context whose revocations wait for the commit that is `in_flight`.
    pub(super) fn new(in_flight: InFlight) -> GroupContext {
        GroupContext { events: Mutex::default(), is_pending: AtomicBool::new(false), in_flight }
    }

    /// The oldest change that was not acted on.
    pub(super) fn take(&self) -> Option<GroupEvent> {
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        let event = events.pop_front();
        self.is_pending.store(!events.is_empty(), Ordering::Release);
        event
    }

    /// Whether a change waits.
    pub(super) fn is_pending(&self) -> bool {
        self.is_pending.load(Ordering::Acquire)
    }

    fn note(&self, event: GroupEvent) {
        self.events.lock().unwrap_or_else(PoisonError::into_inner).push_back(event);
        self.is_pending.store(true, Ordering::Release);
    }
}

impl ClientContext for GroupContext {
    /// librdkafka itself holds repetitions back.
    fn error(&self, error: KafkaError, reason: &str) {
        tracing::warn!(%error, reason, "the consumer reports an error");
    }
}

impl ConsumerContext for GroupContext {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        error: RDKafkaRespErr,
        partitions: &mut TopicPartitionList,
    ) {
        match error {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => {
                let partitions = partitions
                    .elements()
                    .iter()
                    .map(|element| InputPartition {
                        topic: element.topic().into(),
                        partition: element.partition(),
                    })
                    .collect();
                self.note(GroupEvent::Assigned(partitions));
            }
            other => {
                if other != RDKafkaRespErr::RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS {
                    self.note(GroupEvent::Failed(KafkaError::Rebalance(RDKafkaErrorCode::from(other))));
                }
                if !self.in_flight.wait(COMMIT_PATIENCE) {
                    tracing::warn!("partitions are given away while a commit is on its way");
                }
                if let Err(source) = consumer.unassign() {
                    self.note(GroupEvent::Failed(source));
                }
                self.note(GroupEvent::Revoked);
            }
        }
    }
}
