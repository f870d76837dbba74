//! Segment's identities and `context` as ours.
//!
//! What is read: who (userId, anonymousId, group, session), where (library, channel, device), and what our own context names. Promise:
//! addresses, user agents, URLs, advertising ids and traits are looked at or passed over, never stored.

use std::borrow::Cow;

use bumpalo::Bump;
use serde_json::value::RawValue;

use super::Reading;
use super::coerce::{coerce, quoted, raw};
use super::segment::value_of;
use crate::catalogue::NAME;
use crate::parse::document::fields;
use crate::parse::{Fields, Part};

/// What a call's context is made from.
#[derive(Debug)]
pub(super) struct Circumstances<'c, 'a> {
    pub(super) call: &'c Fields<'a>,
    /// The fields around a batch, for those that the call lacks.
    pub(super) around: &'c [(Cow<'a, str>, &'a RawValue)],
    pub(super) properties: &'c Fields<'a>,
    /// What the event's name implies.
    pub(super) touchpoint: Option<&'a RawValue>,
}

/// Fields of our context that are taken from Segment's under their own names.
const OURS: [&str; 15] = [
    "touchpoint",
    "mode",
    "persona",
    "member",
    "locale",
    "app_version",
    "variant",
    "preferred_channel",
    "stage",
    "traffic",
    "session_id",
    "account_id",
    "seq",
    "device",
    "consent",
];

type Renamed<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

/// Our context, and where its fields came from.
pub(super) fn read_context<'a>(
    from: &Circumstances<'_, 'a>,
    renamed: &mut Renamed<'a>,
    reading: Reading<'a>,
) -> Fields<'a> {
    let arena = reading.arena;
    let own = object(value_of(from.call, "context"));
    let own = if own.is_empty() { object(value_of(from.call, "options")) } else { own };
    let around = object(value_of(from.around, "context"));
    let find = |name: &str| value_of(&own, name).or_else(|| value_of(&around, name));
    let within = |part: &str, name: &str| find(part).and_then(|part| value_of(&object(Some(part)), name));

    let mut context: Fields<'a> = Vec::with_capacity(12);
    let mut put = |ours: &'static str, theirs: &'static str, value: Option<&'a RawValue>| {
        let Some(value) = value.filter(|_| !context.iter().any(|(name, _)| name == ours)) else { return };
        context.push((Cow::Borrowed(ours), value));
        renamed.push((Cow::Owned(format!("context.{ours}")), Cow::Borrowed(theirs)));
    };
    let id = |value: Option<&'a RawValue>| value.map(|value| coerce(NAME, value, arena));
    let of_call = |name| value_of(from.call, name).or_else(|| value_of(from.around, name));
    put("customer_id", "userId", id(of_call("userId")));
    put("anonymous_id", "anonymousId", id(of_call("anonymousId")));
    put("account_id", "groupId", id(of_call("groupId")));
    put("account_id", "context.groupId", id(find("groupId")));
    put("session_id", "context.sessionId", id(find("sessionId")));
    for name in OURS {
        // Segment's device and consent are objects, read below.
        let value = find(name).filter(|value| !value.get().starts_with('{'));
        put(name, own_path(name), value);
    }
    put(
        "consent",
        "context.consent",
        within("consent", "categoryPreferences").map(|given| consents(given, arena)),
    );
    put("touchpoint", "event", from.touchpoint);
    let library = within("library", "name").map_or("", RawValue::get);
    let said = find("channel").or_else(|| value_of(from.call, "channel"));
    put("channel", "context.channel", channel(library, said));
    put(
        "device",
        "context.userAgent",
        device(find("userAgent").map_or("", RawValue::get), within("userAgentData", "mobile")),
    );
    put("app_version", "context.app.version", id(within("app", "version")));
    put("campaign", "context.campaign.name", id(find("campaign").filter(|text| text.get().starts_with('"'))));
    put(
        "campaign",
        "context.campaign.name",
        id(within("campaign", "name").or_else(|| within("campaign", "source"))),
    );
    let referrer = value_of(from.properties, "referrer").or_else(|| within("page", "referrer"));
    put("referrer", "context.page.referrer", referrer.map(|referrer| without_query(referrer, arena)));
    context
}

/// The path of a field that has our name.
fn own_path(name: &'static str) -> &'static str {
    match name {
        "touchpoint" => "context.touchpoint",
        "mode" => "context.mode",
        "persona" => "context.persona",
        "member" => "context.member",
        "locale" => "context.locale",
        "app_version" => "context.app_version",
        "variant" => "context.variant",
        "preferred_channel" => "context.preferred_channel",
        "stage" => "context.stage",
        "traffic" => "context.traffic",
        "session_id" => "context.session_id",
        "account_id" => "context.account_id",
        "seq" => "context.seq",
        "device" => "context.device",
        _ => "context.consent",
    }
}

fn object(value: Option<&RawValue>) -> Fields<'_> {
    match value.map(fields) {
        Some(Part::Fields(fields)) => fields,
        _ => Vec::new(),
    }
}

/// Where the library runs; a server may speak for any channel and says which in context.channel.
fn channel<'a>(library: &str, said: Option<&'a RawValue>) -> Option<&'a RawValue> {
    let said_text = said.map_or("", |said| said.get().trim_matches('"'));
    if library.contains("analytics.js") || said_text == "browser" {
        return Some(raw("\"web\""));
    }
    let mobile = ["ios", "android", "swift", "kotlin", "react-native", "flutter", "xamarin", "unity"];
    if said_text == "mobile" || mobile.iter().any(|part| library.contains(part)) {
        return Some(raw("\"app\""));
    }
    said.filter(|said| said_text != "server" && said.get().starts_with('"'))
}

/// A hint from the user agent, which itself is never stored.
fn device(user_agent: &str, is_mobile: Option<&RawValue>) -> Option<&'static RawValue> {
    let has = |part: &str| user_agent.contains(part);
    let device = if has("iPad") || has("Tablet") || (has("Android") && !has("Mobile")) {
        "\"tablet\""
    } else if has("Mobi") || has("iPhone") || is_mobile.is_some_and(|mobile| mobile.get() == "true") {
        "\"mobile\""
    } else if has("Mozilla/") {
        "\"desktop\""
    } else {
        return None;
    };
    Some(raw(device))
}

/// The categories of Segment's consent standard that were given, in lower case.
fn consents<'a>(preferences: &'a RawValue, arena: &'a Bump) -> &'a RawValue {
    let given = object(Some(preferences)).into_iter().filter(|(_, value)| value.get() == "true");
    let names: Vec<String> = given.map(|(name, _)| name.to_lowercase()).collect();
    raw(arena.alloc_str(&serde_json::to_string(&names).expect("texts are always JSON")))
}

/// An address without what follows `?` or `#`, which may name a person.
fn without_query<'a>(address: &'a RawValue, arena: &'a Bump) -> &'a RawValue {
    let Ok(text) = serde_json::from_str::<Cow<'a, str>>(address.get()) else { return address };
    match text.find(['?', '#']) {
        Some(end) => quoted(&text[..end], arena),
        None => address,
    }
}
