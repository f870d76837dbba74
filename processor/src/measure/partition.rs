//! One raw partition: its duplicate window, its watermark, its journeys.

use std::collections::BTreeMap;
use std::sync::Arc;

use touchstream_runtime::settings::{ProcessorSettings, Settings};
use touchstream_runtime::touchpoints::Touchpoints;
use touchstream_schemas::avro;
use touchstream_schemas::codec::{DecodeError, Decoder};
use touchstream_schemas::duplicates::{DuplicateLimits, DuplicateWindow, EventKey};
use touchstream_schemas::event::{AppEvent, ChatEvent, CheckoutEvent, Family, FeedbackEvent, HUMAN};
use touchstream_schemas::facts::AnswerView;
use touchstream_schemas::keys;
use touchstream_schemas::marks::Mark;
use touchstream_schemas::panes::{QualityCounts, metric};
use touchstream_schemas::registry::SchemaRegistry;
use touchstream_schemas::time::{EventTime, Millis};
use touchstream_schemas::topics::Topics;

use super::app;
use super::checkout::{CheckoutPoint, CheckoutRules};
use super::conversation::{ANEW_AFTER, ConversationPoint, ConversationRules};
use super::deltas::{Deltas, Sign};
use super::emit::{Answers, Emitter, FamilyOutput, Sending};
use super::feedback::{self, Feedback, FeedbackRules};
use super::further::FurtherContext as _;
use super::journeys::{Journeys, read_segment};
use super::measured::{Measured, identity_of};
use super::refuse::{Refusal, impossible_time, wrong_family};
use super::watermark::PartitionWatermark;
use crate::cells::{Cell, Counts};
use crate::metrics::Metrics;
use crate::series::SeriesKey;
use crate::stage::{Committed, InputPartition, Outgoing, Output, Record, StageError, base_revision};

/// Days that a journey is kept beyond the lateness limit, so that a late event still meets it.
const KEPT_BEYOND_LATENESS_DAYS: i64 = 8;

/// What all partitions share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) duplicate_limits: DuplicateLimits,
    pub(super) metrics: Metrics,
    pub(super) touchpoints: Arc<Touchpoints>,
    /// Journeys of a partition that change within a transaction before they settle.
    pub(super) most_changing: usize,
    processor: ProcessorSettings,
    decoder: Decoder,
    topics: Topics,
    lateness: Millis,
    checkout: Arc<CheckoutRules>,
    conversation: Arc<ConversationRules>,
    feedback: Arc<FeedbackRules>,
}

impl Shared {
    pub(super) fn new(settings: &Settings, touchpoints: Arc<Touchpoints>, metrics: Metrics) -> Shared {
        let mut schemas: Vec<_> = Family::ALL.into_iter().map(avro::of_family).collect();
        schemas.push(&avro::JOURNEYS);
        Shared {
            duplicate_limits: DuplicateLimits {
                age: Millis(settings.metrics.duplicate_age_s * 1_000),
                records: settings.metrics.duplicate_records,
            },
            metrics,
            touchpoints: touchpoints.clone(),
            most_changing: MOST_CHANGING,
            decoder: Decoder::new(&schemas)
                .with_registry(SchemaRegistry::configured(&settings.schemas.registry_url)),
            topics: Topics::new(&settings.kafka.topic_prefix),
            lateness: Millis::DAY.times(settings.processor.lateness_days),
            processor: settings.processor.clone(),
            checkout: Arc::new(CheckoutRules::new(&settings.metrics, touchpoints.clone())),
            conversation: Arc::new(ConversationRules::new(&settings.metrics, touchpoints)),
            feedback: Arc::new(FeedbackRules::new(&settings.metrics)),
        }
    }
}

#[derive(Debug)]
enum FamilyJourneys {
    Checkout(Journeys<CheckoutRules>),
    Chat(Journeys<ConversationRules>),
    Feedback(Journeys<FeedbackRules>),
    /// App events count one by one, without journeys.
    App,
}

/// State of one raw partition.
#[derive(Debug)]
pub(super) struct RawPartition {
    pub(super) watermark: PartitionWatermark,
    pub(super) sent_watermark: EventTime,
    family: Family,
    duplicates: DuplicateWindow,
    journeys: FamilyJourneys,
    last_offset: i64,
    /// Events since the last transaction.
    read: u64,
    quality: Vec<Quality>,
    /// Marks of changes that were told since, by their keys.
    changes: BTreeMap<String, Vec<u8>>,
    answers: Answers,
    /// Lent to the event at hand.
    key: String,
    /// Lent to the answer at hand.
    question: String,
}

/// What was left out or not within one minute.
#[derive(Debug)]
struct Quality {
    tenant: String,
    minute: EventTime,
    counts: Cell,
}

/// Most changes that are noted in a transaction; further ones are in ClickHouse all the same.
const MOST_CHANGES: usize = 1_000;

/// Usual [`Shared::most_changing`].
const MOST_CHANGING: usize = 8_192;

/// How many of the newest [`Quality`] are tried for an event.
const QUALITY_LOOK_BACK: usize = 8;

/// Takes a record that cannot be counted, and why.
pub(super) type Refuse<'r> = &'r mut dyn FnMut(Record<'_>, &Refusal);

impl RawPartition {
    pub(super) fn new(shared: &Shared, family: Family, committed: Option<&Committed>) -> RawPartition {
        let watermark = committed.and_then(|committed| committed.note.parse().ok()).map(EventTime);
        let served = watermark.unwrap_or(EventTime::MIN);
        let keep = Millis(shared.lateness.0 + Millis::DAY.times(KEPT_BEYOND_LATENESS_DAYS).0);
        RawPartition {
            watermark: PartitionWatermark::new(&shared.processor, watermark),
            sent_watermark: EventTime::MIN,
            family,
            duplicates: DuplicateWindow::new(shared.duplicate_limits),
            journeys: match family {
                Family::Checkout => {
                    FamilyJourneys::Checkout(Journeys::new(shared.checkout.clone(), keep, served))
                }
                Family::Chat => FamilyJourneys::Chat(Journeys::new(
                    shared.conversation.clone(),
                    Millis(shared.lateness.0 + ANEW_AFTER.0),
                    served,
                )),
                Family::Feedback => {
                    FamilyJourneys::Feedback(Journeys::new(shared.feedback.clone(), keep, served))
                }
                Family::App => FamilyJourneys::App,
            },
            last_offset: committed.map_or(0, |committed| committed.next_offset - 1),
            read: 0,
            quality: Vec::new(),
            changes: BTreeMap::new(),
            answers: Answers::default(),
            key: String::new(),
            question: String::new(),
        }
    }

    pub(super) fn family(&self) -> Family {
        self.family
    }

    /// Takes one record of the changelog back.
    pub(super) fn restore(&mut self, shared: &Shared, record: Record<'_>) -> Result<(), DecodeError> {
        let unreadable = || DecodeError::TrailingBytes { schema: avro::JOURNEYS.name.to_owned() };
        let number = std::str::from_utf8(record.key).ok().and_then(|number| number.parse().ok());
        let number = number.ok_or_else(unreadable)?;
        let states = record.value.map(|value| read_segment(&shared.decoder, value)).transpose()?;
        let is_restored = match &mut self.journeys {
            FamilyJourneys::Checkout(journeys) => journeys.restore(number, states),
            FamilyJourneys::Chat(journeys) => journeys.restore(number, states),
            FamilyJourneys::Feedback(journeys) => journeys.restore(number, states),
            FamilyJourneys::App => true,
        };
        if is_restored { Ok(()) } else { Err(unreadable()) }
    }

    /// All records of the changelog were taken back.
    pub(super) fn restored(&mut self) -> Result<(), DecodeError> {
        let is_restored = match &mut self.journeys {
            FamilyJourneys::Checkout(journeys) => journeys.restored(),
            FamilyJourneys::Chat(journeys) => journeys.restored(),
            FamilyJourneys::Feedback(journeys) => journeys.restored(),
            FamilyJourneys::App => true,
        };
        let unreadable = || DecodeError::TrailingBytes { schema: avro::JOURNEYS.name.to_owned() };
        if is_restored { Ok(()) } else { Err(unreadable()) }
    }

    pub(super) fn look_back_at(&mut self, shared: &Shared, record: Record<'_>) -> Result<(), StageError> {
        let Some(value) = record.value else { return Ok(()) };
        let key = match self.family {
            Family::Checkout => key_of::<CheckoutEvent<'_>>(shared, value),
            Family::Chat => key_of::<ChatEvent<'_>>(shared, value),
            Family::Feedback => key_of::<FeedbackEvent<'_>>(shared, value),
            Family::App => key_of::<AppEvent<'_>>(shared, value),
        };
        match key {
            Ok(key) => {
                self.duplicates.is_duplicate(key, record.offset, record.appended_at);
                Ok(())
            }
            Err(DecodeError::Registry(error)) => Err(StageError::Registry(error)),
            // It was left out when it was counted, too.
            Err(_) => Ok(()),
        }
    }

    /// Counts records in their order; hands those that cannot be counted to `refuse`. While the schema registry is away nothing goes on:
    /// the record may well be readable later.
    pub(super) fn process_row(
        &mut self,
        shared: &Shared,
        records: &[Record<'_>],
        deltas: &mut Deltas,
        refuse: Refuse<'_>,
    ) -> Result<(), StageError> {
        match self.family {
            Family::Checkout => self.count_row::<CheckoutEvent<'_>>(shared, records, deltas, refuse),
            Family::Chat => self.count_row::<ChatEvent<'_>>(shared, records, deltas, refuse),
            Family::Feedback => self.count_row::<FeedbackEvent<'_>>(shared, records, deltas, refuse),
            Family::App => self.count_row::<AppEvent<'_>>(shared, records, deltas, refuse),
        }
    }

    /// First brings near what all of them are about to be compared with, then takes one after the other.
    fn count_row<'b, E: Measured<'b>>(
        &mut self,
        shared: &Shared,
        records: &[Record<'b>],
        deltas: &mut Deltas,
        refuse: Refuse<'_>,
    ) -> Result<(), StageError> {
        let keys: Vec<Option<EventKey>> =
            records.iter().map(|record| identity_of(record.value?, E::FAMILY)).collect();
        if records.len() > 1 {
            self.bring_near(records, keys.iter().copied().flatten());
        }
        for (record, key) in records.iter().zip(keys) {
            self.last_offset = record.offset;
            let refusal = self.count::<E>(shared, *record, key, deltas)?;
            if let Some(refusal) = refusal {
                shared.metrics.left_out(self.family, refusal.reason);
                refuse(*record, &refusal);
            }
        }
        Ok(())
    }

    /// Counts one record, or tells why not. `key` is that of its event, if it is known already.
    fn count<'b, E: Measured<'b>>(
        &mut self,
        shared: &Shared,
        record: Record<'b>,
        key: Option<EventKey>,
        deltas: &mut Deltas,
    ) -> Result<Option<Refusal>, StageError> {
        let Some(value) = record.value else {
            let detail = "failed to count a record without a value".to_owned();
            return Ok(Some(Refusal { reason: "no_value", detail }));
        };
        match shared.decoder.decode_event::<E>(value) {
            Ok(event) => {
                let key = key.unwrap_or_else(|| event.envelope().key());
                Ok(self.admit(shared, key, &event, record, deltas))
            }
            Err(DecodeError::Registry(error)) => Err(StageError::Registry(error)),
            Err(error) => Ok(Some(Refusal { reason: error.reason(), detail: error.to_string() })),
        }
    }

    /// Reads what the records of a row are about to be compared with. A record that was written under another key than that of its journey
    /// is found all the same, only later.
    fn bring_near(&self, records: &[Record<'_>], keys: impl Iterator<Item = EventKey>) {
        self.duplicates.touch(keys);
        let journeys = records.iter().map(|record| record.key);
        match &self.journeys {
            FamilyJourneys::Checkout(held) => held.touch(journeys),
            FamilyJourneys::Chat(held) => held.touch(journeys),
            FamilyJourneys::Feedback(held) => held.touch(journeys),
            FamilyJourneys::App => {}
        }
    }

    /// Adds the event to its journey unless it is a duplicate, late or not human; each of these is counted. Tells when its times cannot be true.
    fn admit<'b, E: Measured<'b>>(
        &mut self,
        shared: &Shared,
        key: EventKey,
        measured: &E,
        record: Record<'_>,
        deltas: &mut Deltas,
    ) -> Option<Refusal> {
        let event = measured.envelope();
        // Also a refused record is one that later copies repeat, by the rule that the sink follows, too.
        let is_duplicate = self.duplicates.is_duplicate(key, record.offset, record.appended_at);
        let refusal = impossible_time(event.time, event.received_at, record.appended_at)
            .or_else(|| wrong_family(event.event_type, self.family));
        if refusal.is_some() {
            return refusal;
        }
        self.read += 1;
        self.watermark.observe(event.time, event.received_at);
        let mut quality = QualityCounts { accepted: 1, ..QualityCounts::default() };
        if is_duplicate {
            shared.metrics.duplicate(self.family);
            quality.duplicates = 1;
        } else if event.received_at - event.time > shared.lateness {
            shared.metrics.late(self.family);
            quality.late = 1;
        } else if event.traffic != HUMAN {
            quality.non_human = 1;
        } else if !measured.add_to(self, shared, deltas) {
            shared.metrics.left_out(self.family, "journey_too_long");
        }
        self.count_quality(event.tenant, event.received_at, quality);
        None
    }

    /// Counts within a minute of few tenants are gathered here before they become deltas: that spares most events a look-up.
    fn count_quality(&mut self, tenant: &str, at: EventTime, quality: QualityCounts) {
        let minute = at.minute();
        let known = |gathered: &&mut Quality| gathered.minute == minute && gathered.tenant == tenant;
        if let Some(gathered) = self.quality.iter_mut().rev().take(QUALITY_LOOK_BACK).find(known) {
            return gathered.counts.add(&Cell::new(Counts::Quality(quality)));
        }
        let counts = Cell::new(Counts::Quality(quality));
        self.quality.push(Quality { tenant: tenant.to_owned(), minute, counts });
    }

    pub(super) fn add_checkout(&mut self, shared: &Shared, event: &CheckoutEvent<'_>) -> bool {
        let Some(attempt) = keys::attempt(event) else {
            let quality = QualityCounts { without_attempt: 1, ..QualityCounts::default() };
            self.count_quality(event.tenant, event.received_at, quality);
            return true;
        };
        match (&mut self.journeys, CheckoutPoint::of(event, &shared.touchpoints)) {
            (FamilyJourneys::Checkout(journeys), Some(point)) => {
                keys::join_into(&mut self.key, &[event.tenant, attempt]);
                journeys.add(&self.key, point)
            }
            _ => true,
        }
    }

    pub(super) fn add_chat(&mut self, shared: &Shared, event: &ChatEvent<'_>) -> bool {
        let FamilyJourneys::Chat(journeys) = &mut self.journeys else { return true };
        let point = ConversationPoint::of(event, &shared.touchpoints);
        keys::join_into(&mut self.key, &[event.tenant, event.conversation_id]);
        journeys.add(&self.key, point)
    }

    pub(super) fn add_app(&mut self, shared: &Shared, event: &AppEvent<'_>, deltas: &mut Deltas) -> bool {
        if let Some(change) = app::change(event)
            && self.changes.len() < MOST_CHANGES
        {
            self.changes.insert(change.key(), Mark::Change(change).to_json());
        }
        if let Some((series, counts)) = app::counted(event) {
            let further = event.further(&shared.touchpoints);
            deltas.count_in(series, &further, event.time, counts, Sign::Plus);
        }
        true
    }

    pub(super) fn add_feedback(
        &mut self,
        shared: &Shared,
        event: &FeedbackEvent<'_>,
        deltas: &mut Deltas,
    ) -> bool {
        let FamilyJourneys::Feedback(journeys) = &mut self.journeys else { return true };
        keys::join_into(&mut self.key, &[event.tenant, keys::feedback(event)]);
        // The first answer of a submission counts; only a later event could change that.
        let further = event.further(&shared.touchpoints);
        if let Some(answer) = feedback::answer_of(event, &mut self.question, &further) {
            let revision = base_revision(self.last_offset);
            let (point, fact) = feedback::pack_single(&answer);
            if journeys.add_settled(&self.key, answer.time, revision, point, fact) {
                let answer = AnswerView { is_counted: true, revision, ..answer };
                feedback::contribute_answer(&answer, Sign::Plus, deltas);
                self.answers.add(&answer);
                return true;
            }
        }
        Feedback::of(event, &shared.touchpoints).is_none_or(|point| journeys.add(&self.key, point))
    }

    /// Sends what is ready before the transaction ends, so that it is on its way while more is counted. Journeys that change lie unpacked:
    /// when they are many, they settle now, which gives their memory back while it is still at hand.
    pub(super) fn flush(
        &mut self,
        shared: &Shared,
        partition: &InputPartition,
        now: EventTime,
        emitter: &mut Emitter,
        output: &mut dyn Output,
    ) -> Result<(), StageError> {
        let changing = match &self.journeys {
            FamilyJourneys::Checkout(journeys) => journeys.changing(),
            FamilyJourneys::Chat(journeys) => journeys.changing(),
            FamilyJourneys::Feedback(journeys) => journeys.changing(),
            FamilyJourneys::App => 0,
        };
        if changing >= shared.most_changing {
            return self.settle(shared, partition, now, emitter, output);
        }
        let number = partition.partition;
        self.answers.send_full(&shared.topics, number, output)?;
        let changelog = shared.topics.measure_changelog(self.family);
        let mut sending =
            Sending { emitter, answers: &mut self.answers, output, changelog, partition: number };
        match &mut self.journeys {
            FamilyJourneys::Checkout(journeys) => journeys.flush(&mut sending),
            FamilyJourneys::Chat(journeys) => journeys.flush(&mut sending),
            FamilyJourneys::Feedback(journeys) => journeys.flush(&mut sending),
            FamilyJourneys::App => Ok(()),
        }
    }

    /// Sends out what changed since the last transaction, and what the watermark decides.
    pub(super) fn settle(
        &mut self,
        shared: &Shared,
        partition: &InputPartition,
        now: EventTime,
        emitter: &mut Emitter,
        output: &mut dyn Output,
    ) -> Result<(), StageError> {
        let watermark = self.watermark.settle();
        let mut deltas = std::mem::take(&mut emitter.deltas);
        shared.metrics.events(self.family, std::mem::take(&mut self.read));
        for Quality { tenant, minute, counts } in self.quality.drain(..) {
            deltas.count(&quality_series(&tenant, self.family), minute, counts.counts, Sign::Plus);
        }
        let revision = base_revision(self.last_offset);
        let changelog = shared.topics.measure_changelog(self.family);
        let (number, answers) = (partition.partition, &mut self.answers);
        let mut sending = Sending { emitter, answers, output, changelog, partition: number };
        let (held, repeated) = match &mut self.journeys {
            FamilyJourneys::Checkout(journeys) => {
                settle(journeys, watermark, revision, &mut deltas, &mut sending)?
            }
            FamilyJourneys::Chat(journeys) => {
                settle(journeys, watermark, revision, &mut deltas, &mut sending)?
            }
            FamilyJourneys::Feedback(journeys) => {
                settle(journeys, watermark, revision, &mut deltas, &mut sending)?
            }
            FamilyJourneys::App => (0, Vec::new()),
        };
        for (tenant, repeated_transactions) in repeated {
            let quality = QualityCounts { repeated_transactions, ..QualityCounts::default() };
            deltas.count(&quality_series(&tenant, self.family), now, Counts::Quality(quality), Sign::Plus);
        }
        self.answers.send_all(&shared.topics, number, output)?;
        if !self.changes.is_empty() {
            let topic = shared.topics.marks();
            for (key, mark) in std::mem::take(&mut self.changes) {
                let (key, value) = (key.as_bytes(), Some(mark.as_slice()));
                output.send(Outgoing { topic: &topic, partition: Some(0), key, value })?;
            }
        }
        shared.metrics.journeys(self.family, number, held);
        emitter.deltas = deltas;
        Ok(())
    }
}

fn settle<R: FamilyOutput>(
    journeys: &mut Journeys<R>,
    watermark: EventTime,
    revision: i64,
    deltas: &mut Deltas,
    sending: &mut Sending<'_>,
) -> Result<(usize, Vec<(String, i64)>), StageError> {
    journeys.settle(watermark, revision, deltas, sending)?;
    Ok((journeys.len(), journeys.take_repeated_transactions()))
}

fn key_of<'b, E: Measured<'b>>(shared: &Shared, value: &'b [u8]) -> Result<EventKey, DecodeError> {
    shared.decoder.decode_event::<E>(value).map(|event| event.envelope().key())
}

fn quality_series(tenant: &str, family: Family) -> SeriesKey {
    SeriesKey::new(tenant, metric::QUALITY, family.name(), ["", "", ""])
}
