//! The ledger: what stands in the metadata of a committed offset, and what follows from it when a partition is assigned.
//!
//! Before a range of offsets is inserted, its *intent* is committed at the unchanged position; afterwards the position moves
//! behind the range. Whoever owns the partition next finds either no intent and goes on, or an intent and replays exactly that
//! range under the same deduplication tokens. Pure: Kafka's answers come in, decisions go out.

use std::fmt;

use touchstream_schemas::duplicates::DuplicateLimits;
use touchstream_schemas::time::Millis;

/// First word of the metadata; another one means that another release wrote it.
const VERSION: &str = "touchstream-sink/1";

/// A range of offsets that is about to be inserted. One chunk per month of event time, in rising order of month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Intent {
    /// First offset.
    pub(crate) min: i64,
    /// Last offset, inclusive.
    pub(crate) max: i64,
    /// Append time of the first record: part of the token, so that a topic that was made anew never meets old tokens.
    pub(crate) first_appended_at: i64,
    /// Limits of the duplicate rule: a replay must drop the same copies.
    pub(crate) limits: DuplicateLimits,
    /// Whether ClickHouse refused a chunk of it, which is stored in halves since: never whole again, whatever was mended meanwhile.
    pub(crate) is_split: bool,
}

/// All that the metadata says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Append time of the last record before the position, when there was one.
    pub(crate) appended_at: Option<i64>,
    /// Range in flight.
    pub(crate) intent: Option<Intent>,
}

/// Why a committed position cannot be continued.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// Not written by this release.
    #[error("the metadata of its committed offset cannot be read: {0:?}")]
    Metadata(String),
    /// The intent does not begin at the position.
    #[error("its intent {min}-{max} does not continue the committed offset {committed}")]
    Intent {
        /// First offset of the intent.
        min: i64,
        /// Last offset.
        max: i64,
        /// Committed offset.
        committed: i64,
    },
    /// Unread records are gone.
    #[error(
        "records {committed} to {low} were deleted before they were read; to go on without them, set the group's offset to {low}"
    )]
    Deleted {
        /// Committed offset.
        committed: i64,
        /// First offset that the log still has.
        low: i64,
    },
    /// The record before the position is another one than was read: the topic was made anew.
    #[error(
        "the record at offset {offset} was appended at {found}, and at {expected} when it was read; the topic was made anew: delete the group's \
         offset, then it is read from its beginning"
    )]
    Renewed {
        /// Offset.
        offset: i64,
        /// Append time of the record that stands there, in milliseconds since 1970.
        found: i64,
        /// Append time that the ledger remembers.
        expected: i64,
    },
    /// The log ends before the position: it was truncated or made anew.
    #[error(
        "its log ends at {high}, before the committed offset {committed}; was the topic made anew? Then delete the group's offset"
    )]
    Ahead {
        /// Committed offset.
        committed: i64,
        /// End of the log.
        high: i64,
    },
}

impl fmt::Display for Mark {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(VERSION)?;
        if let Some(appended_at) = self.appended_at {
            write!(formatter, " appended={appended_at}")?;
        }
        if let Some(intent) = self.intent {
            let Intent { min, max, first_appended_at, limits, is_split } = intent;
            write!(formatter, " range={min}-{max} first={first_appended_at}")?;
            write!(formatter, " age={} records={}", limits.age.0, limits.records)?;
            if is_split {
                formatter.write_str(" split=halves")?;
            }
        }
        Ok(())
    }
}

impl Mark {
    /// Reads the metadata of a committed offset; empty metadata is an empty mark.
    pub(crate) fn parse(metadata: &str) -> Result<Mark, LedgerError> {
        let error = || LedgerError::Metadata(metadata.chars().take(200).collect());
        if metadata.is_empty() {
            return Ok(Mark::default());
        }
        let mut words = metadata.split(' ');
        if words.next() != Some(VERSION) {
            return Err(error());
        }
        let number = |text: &str| text.parse::<i64>().map_err(|_| error());
        let (mut appended_at, mut range, mut first, mut age, mut records) = (None, None, None, None, None);
        let mut is_split = false;
        for word in words {
            let (name, value) = word.split_once('=').ok_or_else(error)?;
            match name {
                "appended" => appended_at = Some(number(value)?),
                "range" => {
                    let (min, max) = value.split_once('-').ok_or_else(error)?;
                    range = Some((number(min)?, number(max)?));
                }
                "first" => first = Some(number(value)?),
                "age" => age = Some(number(value)?),
                "records" => records = Some(number(value)?),
                "split" if value == "halves" => is_split = true,
                _ => return Err(error()),
            }
        }
        let intent = match (range, first, age, records) {
            (None, None, None, None) if !is_split => None,
            (Some((min, max)), Some(first_appended_at), Some(age), Some(records)) => Some(Intent {
                min,
                max,
                first_appended_at,
                limits: DuplicateLimits { age: Millis(age), records },
                is_split,
            }),
            _ => return Err(error()),
        };
        Ok(Mark { appended_at, intent })
    }

    /// A record that the ledger remembers, by offset and append time: the first of the intent, else the last before the position.
    pub(crate) fn witness(&self, committed: i64) -> Option<(i64, i64)> {
        match self.intent {
            Some(intent) => Some((intent.min, intent.first_appended_at)),
            None => Some((committed - 1, self.appended_at?)),
        }
    }
}

/// What Kafka says about a partition at assignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// Committed offset, when there is one.
    pub(crate) committed: Option<i64>,
    /// Its metadata.
    pub(crate) mark: Mark,
    /// First offset of the log.
    pub(crate) low: i64,
    /// Offset after the last record of the log.
    pub(crate) high: i64,
}

/// Where to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// First offset that is not stored yet.
    pub(crate) next: i64,
    /// Range to replay first.
    pub(crate) replay: Option<Intent>,
}

impl Found {
    /// Decides where to go on.
    pub(crate) fn plan(&self) -> Result<Plan, LedgerError> {
        let Some(committed) = self.committed else { return Ok(Plan { next: self.low, replay: None }) };
        if committed < self.low {
            return Err(LedgerError::Deleted { committed, low: self.low });
        }
        if committed > self.high {
            return Err(LedgerError::Ahead { committed, high: self.high });
        }
        if let Some(Intent { min, max, .. }) = self.mark.intent {
            if min < committed || max < min {
                return Err(LedgerError::Intent { min, max, committed });
            }
            if max >= self.high {
                return Err(LedgerError::Ahead { committed: max + 1, high: self.high });
            }
        }
        Ok(Plan { next: committed, replay: self.mark.intent })
    }

    /// Where the duplicate window must be read from, given the first offset not older than its age (`None`: unknown, so only
    /// the number of records bounds it).
    pub(crate) fn rebuild_from(&self, next: i64, limits: DuplicateLimits, by_age: Option<i64>) -> i64 {
        let by_records = next.saturating_sub(limits.records);
        by_records.max(by_age.unwrap_or(self.low)).max(self.low).min(next)
    }
}

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;
