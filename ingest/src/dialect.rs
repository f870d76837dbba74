//! Bodies that other tools send, as events of ours: CloudEvents, and the calls of Segment's libraries.
//!
//! Read body → **parse or dialect** → validate. A dialect only renames and rearranges: what it makes goes the way of every other event,
//! and problems name the fields as their sender wrote them.

pub(crate) mod alias;
pub(crate) mod cloudevents;
pub(crate) mod coerce;
pub(crate) mod segment;
mod segment_context;

use bumpalo::Bump;

use self::alias::Aliases;
use crate::parse::{Entry, Format, ParseError, ParseLimits, parse};

/// How a request says what happened.
#[derive(Clone, Debug)]
pub(crate) enum Form {
    /// Events as in the contract.
    Native(Format),
    /// CloudEvents 1.0.
    CloudEvents(cloudevents::Mode),
    /// One of Segment's calls.
    Segment(segment::Call),
}

/// What reading a body needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading<'a> {
    pub(crate) limits: ParseLimits,
    pub(crate) aliases: &'a Aliases,
    pub(crate) arena: &'a Bump,
}

/// Reads the events of a body.
pub(crate) fn read<'a>(
    body: &'a [u8],
    form: &'a Form,
    reading: Reading<'a>,
) -> Result<Vec<Entry<'a>>, ParseError> {
    match form {
        Form::Native(format) => parse(body, *format, reading.limits),
        Form::CloudEvents(mode) => cloudevents::read(body, mode, reading),
        Form::Segment(call) => segment::read(body, *call, reading),
    }
}
