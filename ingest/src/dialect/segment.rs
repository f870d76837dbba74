//! The calls of Segment's tracking API: track, page, screen, identify, group, alias, and batches of them.
//!
//! `track` goes by the [`super::alias`] table; an event whose name is a type of the catalogue has that type's fields as properties.
//! `identify`, `group` and `alias` carry traits and links between identities, neither of which is ever stored: they are answered and
//! noted as not stored. Promise: a property is never lost silently, and nothing identifying is kept in clear.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::Reading;
use super::alias::Alias;
use super::coerce::{coerce, quoted, raw};
use super::segment_context::{Circumstances, read_context};
use crate::catalogue::{self, EventType, NAME};
use crate::parse::document::{Document, document, entries, fields, wrong_shape};
use crate::parse::{Entry, Fields, ParseError, Part, SentEvent};
use crate::problem::{Fault, code};

/// One of Segment's calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Track,
    Page,
    Screen,
    Identify,
    Group,
    Alias,
    Batch,
}

/// Every path, the browser library's short ones included.
pub(crate) const PATHS: [(&str, Call); 14] = [
    ("/v1/track", Call::Track),
    ("/v1/t", Call::Track),
    ("/v1/page", Call::Page),
    ("/v1/p", Call::Page),
    ("/v1/screen", Call::Screen),
    ("/v1/s", Call::Screen),
    ("/v1/identify", Call::Identify),
    ("/v1/i", Call::Identify),
    ("/v1/group", Call::Group),
    ("/v1/g", Call::Group),
    ("/v1/alias", Call::Alias),
    ("/v1/a", Call::Alias),
    ("/v1/batch", Call::Batch),
    ("/v1/b", Call::Batch),
];

impl Call {
    /// The call that an entry of a batch says it is.
    fn of_entry(name: &str) -> Option<Call> {
        let calls = PATHS.iter().filter(|(_, call)| *call != Call::Batch);
        calls.into_iter().find_map(|(path, call)| (path.strip_prefix("/v1/") == Some(name)).then_some(*call))
    }

    fn name(self) -> &'static str {
        let path = PATHS.iter().find_map(|(path, call)| (*call == self).then_some(*path));
        path.and_then(|path| path.strip_prefix("/v1/")).unwrap_or_default()
    }
}

/// The write key in a body, for clients that send no header.
pub(crate) fn write_key(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Keyed<'b> {
        #[serde(rename = "writeKey", borrow)]
        write_key: Cow<'b, str>,
    }
    let keyed: Keyed<'_> = serde_json::from_slice(body).ok()?;
    Some(keyed.write_key.into_owned())
}

/// Reads the calls of a body.
pub(super) fn read<'a>(
    body: &'a [u8],
    call: Call,
    reading: Reading<'a>,
) -> Result<Vec<Entry<'a>>, ParseError> {
    let Document::One(body) = document(body, reading.limits)? else {
        return Err(wrong_shape("expected one call; several go to /v1/batch as {\"batch\":[…]}"));
    };
    let Part::Fields(outer) = fields(body) else {
        return Err(wrong_shape("expected an object"));
    };
    if call != Call::Batch {
        return Ok(vec![read_call(&outer, body.get().len(), call, &[], reading)]);
    }
    let batch = value_of(&outer, "batch").map(|batch| entries(batch, reading.limits)).transpose()?.flatten();
    let Some(batch) = batch else {
        return Err(wrong_shape("expected {\"batch\":[…]} with the calls in an array"));
    };
    let around: Fields<'a> = outer.into_iter().filter(|(name, value)| holds_for_all(name, value)).collect();
    Ok(batch.into_iter().map(|entry| read_entry(entry, &around, reading)).collect())
}

/// Largest value around a batch that is looked at for each of its entries.
const AROUND_BYTES: usize = 4 * 1_024;

/// Whether a field around a batch stands for the same field of each entry.
fn holds_for_all(name: &str, value: &RawValue) -> bool {
    matches!(name, "sentAt" | "context" | "userId" | "anonymousId" | "groupId")
        && value.get().len() <= AROUND_BYTES
}

/// An entry of a batch; what stands around the batch holds for it too.
fn read_entry<'a>(entry: &'a RawValue, outer: &Fields<'a>, reading: Reading<'a>) -> Entry<'a> {
    let Part::Fields(inner) = fields(entry) else {
        return Entry::Broken(Fault::new(
            code::NOT_AN_OBJECT,
            "expected an object such as {\"type\":\"track\",…}",
        ));
    };
    let name = value_of(&inner, "type").map(|name| name.get().trim_matches('"'));
    let Some(call) = name.and_then(Call::of_entry) else {
        let message = "expected the type of an entry to be track, page, screen, identify, group or alias";
        return Entry::Broken(Fault::new(code::UNKNOWN_TYPE, message));
    };
    read_call(&inner, entry.get().len(), call, outer, reading)
}

/// The value of a field, unless it is null.
pub(super) fn value_of<'a>(fields: &[(Cow<'a, str>, &'a RawValue)], name: &str) -> Option<&'a RawValue> {
    let (_, value) = fields.iter().find(|(found, _)| found == name)?;
    (value.get() != "null").then_some(*value)
}

/// Fields of a call that say nothing that is stored.
const PASSED_OVER: [&str; 12] = [
    "type",
    "category",
    "channel",
    "integrations",
    "_metadata",
    "version",
    "writeKey",
    "receivedAt",
    "projectId",
    "traits",
    "previousId",
    "userTraits",
];
/// Fields that are read.
const READ: [&str; 12] = [
    "messageId",
    "timestamp",
    "originalTimestamp",
    "sentAt",
    "event",
    "name",
    "properties",
    "context",
    "userId",
    "anonymousId",
    "groupId",
    "options",
];

fn read_call<'a>(
    call: &Fields<'a>,
    bytes: usize,
    kind: Call,
    around: &[(Cow<'a, str>, &'a RawValue)],
    reading: Reading<'a>,
) -> Entry<'a> {
    if matches!(kind, Call::Identify | Call::Group | Call::Alias) {
        return Entry::Unstored(match kind {
            Call::Identify => "identify: traits are never stored; send userId with each event instead",
            Call::Group => "group: traits are never stored; send context.groupId with each event instead",
            _ => "alias: identities are never linked here",
        });
    }
    let mut sent = SentEvent { bytes, ..SentEvent::default() };
    sent.id = value_of(call, "messageId");
    // Whoever sends both had its clock corrected already.
    let original = value_of(call, "originalTimestamp");
    let timestamp = value_of(call, "timestamp");
    sent.time = timestamp.or(original);
    if timestamp.is_none() || original.is_none() {
        sent.sent_at = value_of(call, "sentAt").or_else(|| value_of(around, "sentAt"));
    }
    let time_name = if timestamp.is_some() { "timestamp" } else { "originalTimestamp" };
    for (ours, theirs) in [("id", "messageId"), ("time", time_name), ("sent_at", "sentAt")] {
        sent.renamed.push((Cow::Borrowed(ours), Cow::Borrowed(theirs)));
    }
    for (name, _) in call {
        if !PASSED_OVER.contains(&&**name) && !READ.contains(&&**name) {
            sent.unknown.push(name.clone());
        }
    }
    let properties = match value_of(call, "properties").map(fields) {
        None | Some(Part::Missing) => Vec::new(),
        Some(Part::Fields(properties)) => properties,
        Some(Part::NotAnObject) => {
            return Entry::Broken(Fault::new(code::NOT_AN_OBJECT, "expected properties to be an object"));
        }
    };
    let touchpoint = match kind {
        Call::Track => track(call, &properties, &mut sent, reading),
        _ => screen(call, &properties, kind, &mut sent, reading),
    };
    let touchpoint = match touchpoint {
        Ok(touchpoint) => touchpoint,
        Err(entry) => return entry,
    };
    let circumstances = Circumstances { call, around, properties: &properties, touchpoint };
    sent.context = Part::Fields(read_context(&circumstances, &mut sent.renamed, reading));
    Entry::Event(Box::new(sent))
}

/// Type and data of a track call; gives the touchpoint that its name implies.
fn track<'a>(
    call: &Fields<'a>,
    properties: &Fields<'a>,
    sent: &mut SentEvent<'a>,
    reading: Reading<'a>,
) -> Result<Option<&'a RawValue>, Entry<'a>> {
    sent.renamed.push((Cow::Borrowed("type"), Cow::Borrowed("event")));
    let name =
        value_of(call, "event").and_then(|event| serde_json::from_str::<Cow<'_, str>>(event.get()).ok());
    let Some(name) = name.filter(|name| !name.is_empty()) else {
        let message = "a track call needs its event's name as text in event";
        return Err(Entry::Broken(Fault::new(code::MISSING_FIELD, message)));
    };
    if catalogue::find(&name).is_some() {
        sent.event_type = value_of(call, "event");
        sent.data = Part::Fields(properties.clone());
        sent.renamed.push((Cow::Borrowed("data."), Cow::Borrowed("properties.")));
        return Ok(None);
    }
    match reading.aliases.find(&name) {
        Some(Alias { event_type: None, .. }) => {
            Err(Entry::Unstored("the alias table says that events of this name are not stored"))
        }
        Some(alias) => {
            apply(alias, properties, sent, reading);
            Ok(alias.touchpoint.as_deref())
        }
        None => {
            let (_, interaction) = catalogue::find("app.interaction").expect("it is in the catalogue");
            let name = ("name", quoted(&name, reading.arena), Cow::Borrowed("event"));
            fill(interaction, vec![name], properties, &[], &[], sent, reading);
            Ok(None)
        }
    }
}

/// Type and data by an alias.
fn apply<'a>(alias: &'a Alias, properties: &Fields<'a>, sent: &mut SentEvent<'a>, reading: Reading<'a>) {
    let Some(event_type) = alias.event_type else { return };
    let mut data: Vec<Filled<'a>> = Vec::new();
    let mut used: Vec<&str> = Vec::new();
    for (name, value) in &alias.set {
        data.push((name, value, Cow::Borrowed("event")));
    }
    for (field, sources) in &alias.fields {
        let found = sources.iter().find_map(|source| Some((source, value_of(properties, source)?)));
        if let Some((source, value)) = found {
            let value = coerce(field.kind, value, reading.arena);
            data.push((field.name, value, Cow::Owned(format!("properties.{source}"))));
            used.push(source);
        } else if let Some(source) = sources.first() {
            // A problem says where the value was looked for.
            let theirs = Cow::Owned(format!("properties.{source}"));
            sent.renamed.push((Cow::Owned(format!("data.{}", field.name)), theirs));
        }
    }
    fill(event_type, data, properties, &used, &alias.drop, sent, reading);
}

/// A field's name, its value, and where it came from.
type Filled<'a> = (&'static str, &'a RawValue, Cow<'a, str>);

/// Fills type and data: what is known, then every other property as an extra field.
fn fill<'a>(
    event_type: &'static EventType,
    data: Vec<Filled<'a>>,
    properties: &Fields<'a>,
    used: &[&str],
    dropped: &[String],
    sent: &mut SentEvent<'a>,
    reading: Reading<'a>,
) {
    sent.event_type = Some(quoted(event_type.name, reading.arena));
    let mut fields: Fields<'a> = Vec::with_capacity(data.len() + properties.len());
    for (name, value, theirs) in data {
        fields.push((Cow::Borrowed(name), value));
        sent.renamed.push((Cow::Owned(format!("data.{name}")), theirs));
    }
    for (name, value) in properties {
        if used.contains(&&**name) || dropped.iter().any(|dropped| dropped == name) {
            continue;
        }
        // A property that happens to have the name of a field of ours does not mean that field.
        let is_taken = event_type.field(name).is_some();
        fields.push((if is_taken { Cow::Owned(format!("properties.{name}")) } else { name.clone() }, value));
    }
    for (ours, theirs) in [("data.properties.", "properties."), ("data.", "properties.")] {
        sent.renamed.push((Cow::Borrowed(ours), Cow::Borrowed(theirs)));
    }
    sent.data = Part::Fields(fields);
}

/// A page or screen call. URLs and queries may name persons and are not kept.
fn screen<'a>(
    call: &Fields<'a>,
    properties: &Fields<'a>,
    kind: Call,
    sent: &mut SentEvent<'a>,
    reading: Reading<'a>,
) -> Result<Option<&'a RawValue>, Entry<'a>> {
    let (_, viewed) = catalogue::find("app.screen_viewed").expect("it is in the catalogue");
    let is_text = |value: &&RawValue| value.get().len() > 2 && value.get().starts_with('"');
    let own = value_of(call, "name").filter(is_text).map(|name| (Cow::Borrowed("name"), name));
    let of_properties = ["name", "path", "title"].into_iter().find_map(|name| {
        let value = value_of(properties, name).filter(is_text)?;
        Some((Cow::Owned(format!("properties.{name}")), value))
    });
    let nameless =
        (Cow::Borrowed("name"), if kind == Call::Page { raw("\"page\"") } else { raw("\"screen\"") });
    let (theirs, name) = own.or(of_properties).unwrap_or(nameless);
    let dropped = ["url", "search", "referrer"].map(str::to_owned);
    let used = theirs.strip_prefix("properties.").map(str::to_owned);
    let used: Vec<&str> = used.iter().map(String::as_str).collect();
    let name = coerce(NAME, name, reading.arena);
    fill(viewed, vec![("name", name, theirs)], properties, &used, &dropped, sent, reading);
    if let (Some(category), Part::Fields(data)) = (value_of(call, "category"), &mut sent.data)
        && !data.iter().any(|(name, _)| name == "category")
    {
        data.push((Cow::Borrowed("category"), category));
    }
    Ok(None)
}

impl std::fmt::Display for Call {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name())
    }
}
