//! CloudEvents and the calls of Segment's libraries, with their table of names. The first byte chooses which; the rest is the body.
//!
//! Promises: no panic; an error's place lies inside the body; what a dialect makes of a body keeps all promises of an event that was
//! sent as ours ([`super::documents`]).

use std::sync::LazyLock;

use bumpalo::Bump;

use super::documents::{check_error, check_validation};
use crate::dialect::alias::Aliases;
use crate::dialect::cloudevents::Mode;
use crate::dialect::segment::{self, Call};
use crate::dialect::{Form, Reading, read};
use crate::parse::ParseLimits;

static ALIASES: LazyLock<Aliases> = LazyLock::new(|| Aliases::load("").expect("the built-in table is valid"));

/// Most events of a request.
const EVENTS: usize = 100;

/// Reads a body of a dialect.
pub fn dialect(input: &[u8]) {
    let Some((choice, body)) = input.split_first() else { return };
    let form = match choice % 9 {
        0 => Form::Segment(Call::Track),
        1 => Form::Segment(Call::Page),
        2 => Form::Segment(Call::Screen),
        3 => Form::Segment(Call::Identify),
        4 => Form::Segment(Call::Group),
        5 => Form::Segment(Call::Alias),
        6 => Form::Segment(Call::Batch),
        7 => Form::CloudEvents(Mode::Structured),
        _ => Form::CloudEvents(Mode::Batch),
    };
    // The key in a body is looked for before anything is known of the body.
    let _key: Option<String> = segment::write_key(body);
    let arena = Bump::new();
    let limits = ParseLimits { events: EVENTS, depth: 16 };
    match read(body, &form, Reading { limits, aliases: &ALIASES, arena: &arena }) {
        Ok(entries) => {
            assert!(entries.len() <= EVENTS, "{} entries", entries.len());
            check_validation(&entries);
        }
        Err(error) => check_error(&error, body),
    }
}
