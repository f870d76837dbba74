//! What lies in the changelogs of measure and contacts: journeys and customers, and what they count.

use touchstream_schemas::avro;
use touchstream_schemas::batch::AnswerBatch;
use touchstream_schemas::codec::{DecodeError, Decoder, Encoder, Framing};
use touchstream_schemas::event::Family;
use touchstream_schemas::facts::{AnswerFacts, CheckoutFact, ConversationFact};
use touchstream_schemas::keys;
use touchstream_schemas::panes::{ServiceCounts, metric};
use touchstream_schemas::time::EventTime;
use touchstream_schemas::topics::Topics;

use crate::cells::Counts;
use crate::contacts::{Customer, CustomerContact};
use crate::measure::checkout::{CheckoutPoint, CheckoutRules};
use crate::measure::conversation::{ConversationPoint, ConversationRules, Finding};
use crate::measure::deltas::{Deltas, Sign};
use crate::measure::emit::FamilyOutput;
use crate::measure::feedback::{Feedback, FeedbackRules};
use crate::measure::journeys::{Rules, journey_of};
use crate::series::SeriesKey;

/// Events and facts of a journey.
#[derive(Debug)]
pub(super) struct Journey<Point, Fact> {
    points: Vec<Point>,
    facts: Vec<Fact>,
}

/// A journey of any family.
#[derive(Debug)]
pub(super) enum State {
    Checkout(Journey<CheckoutPoint, CheckoutFact>),
    Chat(Journey<ConversationPoint, Finding>),
    Feedback(Journey<Feedback, Feedback>),
}

/// A fact's topic and key there.
pub(super) type FactKey = (String, Vec<u8>);

impl State {
    /// Reads a state from a segment of a changelog of measure; `None` for a family without journeys.
    pub(super) fn decode(family: Family, key: &[u8], value: &[u8]) -> Result<Option<State>, DecodeError> {
        let key = String::from_utf8_lossy(key);
        Ok(match family {
            Family::Checkout => Some(State::Checkout(journey::<CheckoutRules>(&key, value)?)),
            Family::Chat => Some(State::Chat(journey::<ConversationRules>(&key, value)?)),
            Family::Feedback => Some(State::Feedback(journey::<FeedbackRules>(&key, value)?)),
            Family::App => None,
        })
    }

    /// Times of the first and the last event.
    pub(super) fn span(&self) -> Option<(EventTime, EventTime)> {
        match self {
            State::Checkout(journey) => span::<CheckoutRules>(&journey.points),
            State::Chat(journey) => span::<ConversationRules>(&journey.points),
            State::Feedback(journey) => span::<FeedbackRules>(&journey.points),
        }
    }

    /// Adds what the journey's facts count, and with `is_open` what is open because of them.
    pub(super) fn contribute(&self, is_open: bool, deltas: &mut Deltas) {
        match self {
            State::Checkout(journey) => contribute::<CheckoutRules>(&journey.facts, is_open, deltas),
            State::Chat(journey) => contribute::<ConversationRules>(&journey.facts, is_open, deltas),
            State::Feedback(journey) => contribute::<FeedbackRules>(&journey.facts, is_open, deltas),
        }
    }

    /// Facts that have a topic.
    pub(super) fn facts(&self, topics: &Topics) -> Vec<FactKey> {
        match self {
            State::Checkout(journey) => keys_of::<CheckoutRules>(&journey.facts, topics),
            State::Chat(journey) => keys_of::<ConversationRules>(&journey.facts, topics),
            State::Feedback(journey) => keys_of::<FeedbackRules>(&journey.facts, topics),
        }
    }
}

fn journey<R: Rules>(key: &str, value: &[u8]) -> Result<Journey<R::Point, R::Fact>, DecodeError> {
    let unreadable = || DecodeError::TrailingBytes { schema: avro::JOURNEYS.name.to_owned() };
    let (points, facts) = journey_of::<R>(key, value).ok_or_else(unreadable)?;
    Ok(Journey { points, facts })
}

fn span<R: Rules>(points: &[R::Point]) -> Option<(EventTime, EventTime)> {
    let times = || points.iter().map(|point| R::position(point).0);
    Some((times().min()?, times().max()?))
}

fn contribute<R: Rules>(facts: &[R::Fact], is_open: bool, deltas: &mut Deltas) {
    for fact in facts {
        R::contribute(fact, Sign::Plus, deltas);
        if is_open {
            R::contribute_now(fact, Sign::Plus, deltas);
        }
    }
}

fn keys_of<R: FamilyOutput>(facts: &[R::Fact], topics: &Topics) -> Vec<FactKey> {
    let key_of = |fact: &R::Fact| Some((R::fact_topic(topics, fact)?, R::fact_key(fact).into_bytes()));
    facts.iter().filter_map(key_of).collect()
}

/// When a fact begins, by its topic; `None` for topics without such facts.
pub(super) fn started_at(
    decoder: &Decoder,
    topics: &Topics,
    topic: &str,
    value: &[u8],
) -> Result<Option<EventTime>, DecodeError> {
    Ok(if topic == topics.checkouts() {
        Some(decoder.decode::<CheckoutFact>(value)?.started_at)
    } else if topic == topics.conversations() {
        Some(decoder.decode::<ConversationFact>(value)?.started_at)
    } else if topic == topics.answers() {
        decoder.decode::<AnswerFacts>(value)?.facts.first().map(|answer| answer.time)
    } else {
        None
    })
}

/// The deletion of facts that a journey sent and has no more.
pub(super) fn deletion(state: &State, topics: &Topics, key: &FactKey, revision: i64) -> Option<Vec<u8>> {
    let mut buffer = Vec::new();
    let encoded = match state {
        State::Checkout(journey) => {
            let fact = gone::<CheckoutRules>(&journey.facts, topics, key, revision)?;
            Encoder::new(&avro::CHECKOUT_FACT, Framing::SingleObject).encode_into(&fact, &mut buffer)
        }
        State::Chat(journey) => match gone::<ConversationRules>(&journey.facts, topics, key, revision)? {
            Finding::Cycle(fact) => {
                Encoder::new(&avro::CONVERSATION_FACT, Framing::SingleObject).encode_into(&fact, &mut buffer)
            }
            // What customers had is written whole.
            Finding::Contact(_) => return None,
        },
        State::Feedback(journey) => match gone::<FeedbackRules>(&journey.facts, topics, key, revision)? {
            Feedback::Answer(fact) => {
                let mut batch = AnswerBatch::default();
                batch.add(&fact.view());
                return batch.take();
            }
            Feedback::Shown(_) => return None,
        },
    };
    encoded.ok().map(|()| buffer)
}

fn gone<R: FamilyOutput>(
    facts: &[R::Fact],
    topics: &Topics,
    (topic, key): &FactKey,
    revision: i64,
) -> Option<R::Fact> {
    let is_it = |fact: &&R::Fact| {
        R::fact_key(fact).as_bytes() == key && R::fact_topic(topics, fact).as_ref() == Some(topic)
    };
    let mut fact = facts.iter().find(is_it)?.clone();
    R::stamp(&mut fact, revision, true);
    Some(fact)
}

/// Adds what a customer's contacts count: the contained ones that were followed by another. The rest of a contact counts with its journey.
pub(super) fn contribute_customer(key: &[u8], contacts: &[CustomerContact], deltas: &mut Deltas) {
    let key = String::from_utf8_lossy(key);
    let tenant = key.split(keys::SEPARATOR).next().unwrap_or_default();
    for contact in contacts.iter().filter(|contact| contact.is_returned) {
        let Some(contained_at) = contact.contained_at else { continue };
        let dimensions: [&str; 3] = [&contact.touchpoint, &contact.channel, &contact.device];
        let series = SeriesKey::new(tenant, metric::SERVICE_QUALITY, "", dimensions);
        let counts = ServiceCounts { returned: 1, ..ServiceCounts::default() };
        deltas.count_by(&series, &contact.further, contained_at, Counts::Service(counts), Sign::Plus);
    }
}

/// A customer of whom only the contacts are left that a replay does not make anew; `None` when there are none.
pub(super) fn keep_contacts(
    decoder: &Decoder,
    value: &[u8],
    keep: impl Fn(&CustomerContact) -> bool,
) -> Result<Option<Vec<u8>>, DecodeError> {
    let mut customer: Customer = decoder.decode(value)?;
    customer.contacts.retain(keep);
    if customer.contacts.is_empty() {
        return Ok(None);
    }
    let mut buffer = Vec::new();
    let encoded =
        Encoder::new(&avro::CUSTOMER_STATE, Framing::SingleObject).encode_into(&customer, &mut buffer);
    Ok(encoded.ok().map(|()| buffer))
}

/// A reader of all these records.
pub(super) fn decoder() -> Decoder {
    Decoder::new(&[
        &avro::CUSTOMER_STATE,
        &avro::CHECKOUT_FACT,
        &avro::CONVERSATION_FACT,
        &avro::ANSWER_FACTS,
        &avro::PANE,
        &avro::WATERMARK,
        &avro::MINUTE,
    ])
}

/// The contact's conversation, as keys of journeys name it.
pub(super) fn conversation_key(customer_key: &[u8], contact: &CustomerContact) -> Vec<u8> {
    let key = String::from_utf8_lossy(customer_key);
    let tenant = key.split(keys::SEPARATOR).next().unwrap_or_default();
    keys::join(&[tenant, &contact.conversation_id]).into_bytes()
}
