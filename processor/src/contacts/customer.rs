//! One customer: the contacts of the last weeks, and which of them were followed by another conversation. Pure.

use serde::{Deserialize, Serialize};
use touchstream_schemas::facts::{ContactFact, FurtherValue};
use touchstream_schemas::panes::{ServiceCounts, metric};
use touchstream_schemas::time::{EventTime, Millis};

use crate::cells::Counts;
use crate::measure::deltas::{Deltas, Sign};
use crate::series::SeriesKey;

/// Who begins another conversation within this time was not helped by the last one.
pub const RETURN_WITHIN: Millis = Millis::HOUR.times(72);

/// Contacts of one customer, at most: more are no one customer, and their record must stay small. The oldest are forgotten, and with them
/// that they were returned from: nobody would take it back once they cease to be contained.
const MOST_CONTACTS: usize = 200;

/// What net containment needs of a contact (`CustomerContact` in `schemas/avro/customer_state.avsc`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "documented in schemas/avro/customer_state.avsc")]
pub struct CustomerContact {
    pub conversation_id: String,
    pub touchpoint: String,
    pub channel: String,
    pub device: String,
    pub started_at: EventTime,
    pub last_event_at: EventTime,
    pub contained_at: Option<EventTime>,
    #[serde(default)]
    pub further: Vec<FurtherValue>,
    pub is_returned: bool,
}

/// State of one customer: what is kept in memory and in the changelog.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Customer {
    /// Contacts in no order.
    pub contacts: Vec<CustomerContact>,
}

impl Customer {
    /// Takes the newest state of a contact; what an older state of it had counted is taken back.
    pub(super) fn take(&mut self, fact: &ContactFact, deltas: &mut Deltas) {
        let known = self.contacts.iter().position(|contact| {
            contact.conversation_id == fact.conversation_id && contact.started_at == fact.started_at
        });
        if let Some(place) = known {
            let old = self.contacts.swap_remove(place);
            if old.is_returned {
                old.count(&fact.tenant, Sign::Minus, deltas);
            }
        }
        if fact.is_deleted {
            return;
        }
        self.contacts.push(CustomerContact {
            conversation_id: fact.conversation_id.clone(),
            touchpoint: fact.touchpoint.clone(),
            channel: fact.channel.clone(),
            device: fact.device.clone(),
            started_at: fact.started_at,
            last_event_at: fact.last_event_at,
            contained_at: fact.outcome_at.filter(|_| fact.is_contained),
            further: fact.further.clone(),
            is_returned: false,
        });
    }

    /// Judges all contacts anew and counts what changed; forgets contacts that ended before `forget_before`.
    pub(super) fn settle(&mut self, tenant: &str, forget_before: EventTime, deltas: &mut Deltas) {
        self.contacts.retain(|contact| contact.last_event_at >= forget_before);
        self.contacts.sort_unstable_by(|one, other| {
            (one.started_at, &one.conversation_id).cmp(&(other.started_at, &other.conversation_id))
        });
        let too_many = self.contacts.len().saturating_sub(MOST_CONTACTS);
        for contact in self.contacts.drain(..too_many).filter(|contact| contact.is_returned) {
            contact.count(tenant, Sign::Minus, deltas);
        }
        for place in 0..self.contacts.len() {
            let is_returned = self.is_returned(&self.contacts[place]);
            let contact = &mut self.contacts[place];
            if is_returned != contact.is_returned {
                contact.is_returned = is_returned;
                contact.count(tenant, if is_returned { Sign::Plus } else { Sign::Minus }, deltas);
            }
        }
    }

    /// Whether the customer began another conversation soon after this one's last event.
    fn is_returned(&self, contact: &CustomerContact) -> bool {
        let after = contact.last_event_at;
        contact.contained_at.is_some()
            && self.contacts.iter().any(|other| {
                other.conversation_id != contact.conversation_id
                    && after < other.started_at
                    && other.started_at - after <= RETURN_WITHIN
            })
    }

    /// The last event of any contact.
    pub(super) fn last_event_at(&self) -> EventTime {
        self.contacts.iter().map(|contact| contact.last_event_at).max().unwrap_or(EventTime::MIN)
    }
}

impl CustomerContact {
    fn count(&self, tenant: &str, sign: Sign, deltas: &mut Deltas) {
        let Some(contained_at) = self.contained_at else { return };
        let dimensions: [&str; 3] = [&self.touchpoint, &self.channel, &self.device];
        let series = SeriesKey::new(tenant, metric::SERVICE_QUALITY, "", dimensions);
        let counts = ServiceCounts { returned: 1, ..ServiceCounts::default() };
        deltas.count_by(&series, &self.further, contained_at, Counts::Service(counts), sign);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contact(conversation: &str, started_at: EventTime, last_event_at: EventTime) -> ContactFact {
        ContactFact {
            tenant: "t".to_owned(),
            conversation_id: conversation.to_owned(),
            customer_id: Some("c".to_owned()),
            touchpoint: "support".to_owned(),
            channel: "chat".to_owned(),
            device: "mobile".to_owned(),
            started_at,
            last_event_at,
            outcome_at: Some(last_event_at),
            is_bot: true,
            is_contained: true,
            handoffs: Vec::new(),
            bot_loops: Vec::new(),
            reasked_at: None,
            reopened: Vec::new(),
            further: Vec::new(),
            is_deleted: false,
            revision: 1,
        }
    }

    fn returned(deltas: &mut Deltas) -> i64 {
        let mut sum = 0;
        deltas
            .drain::<()>(|_, pane| {
                sum += pane.service.map_or(0, |service| service.returned);
                Ok(())
            })
            .expect("nothing fails here");
        sum
    }

    #[test]
    fn whoever_comes_back_within_72_hours_is_counted_and_taken_back_with_what_brought_them() {
        let (mut customer, mut deltas) = (Customer::default(), Deltas::default());
        let end = EventTime(1_767_600_000_000);
        let mut step = |fact: ContactFact| {
            customer.take(&fact, &mut deltas);
            customer.settle("t", EventTime::MIN, &mut deltas);
            returned(&mut deltas)
        };
        assert_eq!(step(contact("a", end - Millis::HOUR, end)), 0);
        let late = contact("b", end + RETURN_WITHIN + Millis(1), end + RETURN_WITHIN + Millis::HOUR);
        assert_eq!(step(late), 0);
        let in_time = contact("d", end + RETURN_WITHIN, end + RETURN_WITHIN + Millis::MINUTE);
        assert_eq!(step(in_time.clone()), 1);
        assert_eq!(step(in_time.clone()), 0, "the same again changes nothing");
        let between = contact("e", end + Millis::HOUR, end + RETURN_WITHIN);
        assert_eq!(step(between.clone()), 1, "it is followed by b, and a was counted before");
        assert_eq!(step(ContactFact { is_deleted: true, ..in_time }), 0, "a is still followed by e");
        assert_eq!(
            step(ContactFact { is_deleted: true, ..between }),
            -2,
            "nobody follows a in time, and e is gone"
        );
    }

    #[test]
    fn one_customer_is_no_crowd() {
        let (mut customer, mut deltas) = (Customer::default(), Deltas::default());
        for number in 0..1_000 {
            let start = EventTime(1_767_600_000_000) + Millis::MINUTE.times(number);
            customer.take(&contact(&number.to_string(), start, start + Millis(1)), &mut deltas);
            customer.settle("t", EventTime::MIN, &mut deltas);
        }
        assert_eq!(customer.contacts.len(), MOST_CONTACTS);
        assert_eq!(returned(&mut deltas), 199, "all that are held but the last were followed");
        // A conversation that is forgotten ceases to be contained: what was counted of it is taken back already.
        let start = EventTime(1_767_600_000_000);
        let undone = ContactFact { is_contained: false, ..contact("0", start, start + Millis::HOUR) };
        customer.take(&undone, &mut deltas);
        customer.settle("t", EventTime::MIN, &mut deltas);
        assert_eq!(returned(&mut deltas), 0, "it was not among those that count");
        let ended: i64 = (0..1_000)
            .map(|number| {
                let start = start + Millis::MINUTE.times(number);
                let gone = ContactFact { is_deleted: true, ..contact(&number.to_string(), start, start) };
                customer.take(&gone, &mut deltas);
                customer.settle("t", EventTime::MIN, &mut deltas);
                returned(&mut deltas)
            })
            .sum();
        assert_eq!(ended, -199, "as much is taken back as was counted");
    }
}
