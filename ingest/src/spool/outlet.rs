//! The way out for the events of one request: all to the producer, or, from some event on, all to the spool.

use std::sync::Arc;

use touchstream_schemas::event::Family;
use touchstream_schemas::time::EventTime;

use super::{Group, Record, Spool};
use crate::publish::{DirectSender, NotQueued, Publisher, Receipt};
use crate::spool::inbox::Handed;

/// Takes the events of one request in order. Lives while a body is worked on, never across a wait.
#[derive(Debug)]
pub(crate) struct Outlet<'i> {
    publisher: &'i Publisher,
    spool: Option<&'i Spool>,
    receipt: Arc<Receipt>,
    received_at: EventTime,
    way: Way<'i>,
}

#[derive(Debug)]
enum Way<'i> {
    /// While it is held, nothing is diverted.
    Direct(DirectSender<'i>),
    Spool(Group),
    /// The queue is full and there is no spool.
    Closed,
}

impl<'i> Outlet<'i> {
    /// Opens the way for a request.
    pub(crate) fn new(
        publisher: &'i Publisher,
        spool: Option<&'i Spool>,
        receipt: &Arc<Receipt>,
        received_at: EventTime,
    ) -> Outlet<'i> {
        let sender = publisher.direct();
        // The flag cannot change while the sender is held.
        let way = match spool {
            Some(spool) if spool.shared.is_diverted() => Way::Spool(Group::new(Arc::clone(receipt))),
            _ => Way::Direct(sender),
        };
        Outlet { publisher, spool, receipt: Arc::clone(receipt), received_at, way }
    }

    /// Sends an event, the one at `entry` of the body.
    pub(crate) fn send(
        &mut self,
        family: Family,
        key: &str,
        payload: &[u8],
        entry: usize,
    ) -> Result<(), NotQueued> {
        if self.publisher.too_large.is(family, key.len() + payload.len()) {
            self.receipt.expect(1);
            self.receipt.refuse(entry);
            return Ok(());
        }
        if let Way::Direct(sender) = &self.way {
            if sender.send(family, key.as_bytes(), payload, &self.receipt, entry).is_ok() {
                return Ok(());
            }
            // After a first refusal the rest is not tried: an event must not overtake one of its key that came before it.
            self.way = match self.spool {
                None => Way::Closed,
                Some(_) => Way::Spool(Group::new(Arc::clone(&self.receipt))),
            };
            if let Some(spool) = self.spool {
                spool.shared.ask_take_over();
            }
        }
        match &mut self.way {
            Way::Spool(group) => {
                let record = Record { spooled_at: self.received_at, family, key: key.as_bytes(), payload };
                group.bodies.push(&record);
                group.entries.push(entry);
                Ok(())
            }
            Way::Direct(_) | Way::Closed => Err(NotQueued::Now),
        }
    }

    /// Hands over what goes to the spool; entries that nobody took are returned.
    pub(crate) fn finish(self) -> Vec<usize> {
        let (Way::Spool(group), Some(spool)) = (self.way, self.spool) else { return Vec::new() };
        if group.entries.is_empty() {
            return Vec::new();
        }
        let entries = group.entries.clone();
        let mut next = group;
        loop {
            match spool.shared.hand_in(next) {
                Handed::In => return Vec::new(),
                Handed::Refused(reason) => {
                    let refused = &spool.metrics.refused;
                    refused.with_label_values(&[reason.name()]).inc_by(entries.len() as u64);
                    return entries;
                }
                // The diversion was lifted since; unless it begins anew before the sender is held, the way is free.
                Handed::Direct(group) => {
                    let sender = self.publisher.direct();
                    if !spool.shared.is_diverted() {
                        return entries[sender.send_group(&group)..].to_vec();
                    }
                    next = group;
                }
            }
        }
    }
}
