//! What the group tells the worker, as messages: librdkafka's callback only notes them, the worker's loop acts on them in order.
//!
//! librdkafka's contract: after an assignment nothing is fetched until `assign` is called, which may happen after the callback;
//! a revocation is acknowledged by `unassign`. Callbacks run inside `poll`, on the worker's thread.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use rdkafka::ClientContext;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::types::{RDKafkaErrorCode, RDKafkaRespErr};

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

/// Notes what the group says.
#[derive(Debug, Default)]
pub(super) struct GroupContext(Mutex<VecDeque<GroupEvent>>);

impl GroupContext {
    /// The oldest change that was not acted on.
    pub(super) fn take(&self) -> Option<GroupEvent> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    /// Whether a change waits.
    pub(super) fn is_pending(&self) -> bool {
        !self.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    fn note(&self, event: GroupEvent) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_back(event);
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
                if let Err(source) = consumer.unassign() {
                    self.note(GroupEvent::Failed(source));
                }
                self.note(GroupEvent::Revoked);
            }
        }
    }
}
