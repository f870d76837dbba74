//! An event on its way to text: the envelope, its context, its data. Fields are written straight into JSON, in a fixed order.

use std::fmt::Write as _;

use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// The context that a visitor's events share.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    pub(crate) customer_id: Option<String>,
    pub(crate) anonymous_id: Option<String>,
    pub(crate) session_id: Option<String>,
    pub(crate) seq: u32,
    pub(crate) touchpoint: &'static str,
    pub(crate) channel: &'static str,
    pub(crate) device: Option<&'static str>,
    pub(crate) mode: Option<&'static str>,
    pub(crate) persona: Option<&'static str>,
    pub(crate) member: bool,
    pub(crate) locale: &'static str,
    pub(crate) app_version: Option<&'static str>,
    pub(crate) variant: Option<&'static str>,
    pub(crate) campaign: Option<&'static str>,
    pub(crate) referrer: Option<&'static str>,
    pub(crate) consents: bool,
    pub(crate) traffic: Option<&'static str>,
}

/// Writes the fields of one JSON object. Its texts are the simulator's own, yet quoted as JSON demands.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fields(String);

impl Fields {
    pub(crate) fn new() -> Fields {
        Fields::default()
    }

    fn name(&mut self, name: &str) {
        if !self.0.is_empty() {
            self.0.push(',');
        }
        write!(self.0, "\"{name}\":").expect("writing to a string never fails");
    }

    pub(crate) fn text(mut self, name: &str, value: &str) -> Fields {
        self.name(name);
        if value.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\') {
            write!(self.0, "\"{value}\"").expect("writing to a string never fails");
        } else {
            self.0.push_str(&serde_json::Value::from(value).to_string());
        }
        self
    }

    pub(crate) fn maybe(self, name: &str, value: Option<&str>) -> Fields {
        match value {
            Some(value) => self.text(name, value),
            None => self,
        }
    }

    /// A number or a truth value.
    pub(crate) fn plain(mut self, name: &str, value: impl std::fmt::Display) -> Fields {
        self.name(name);
        write!(self.0, "{value}").expect("writing to a string never fails");
        self
    }

    /// An amount of money in cents, as a number with two decimals.
    pub(crate) fn money(mut self, name: &str, cents: i64) -> Fields {
        self.name(name);
        write!(self.0, "{}.{:02}", cents / 100, cents % 100).expect("writing to a string never fails");
        self
    }
}

/// An event with all but its arrival.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) time: i64,
    pub(crate) id: String,
    head: &'static str,
    context: Fields,
    data: Fields,
}

impl Draft {
    pub(crate) fn new(
        event_type: &'static str,
        time: i64,
        context: &mut Context,
        data: Fields,
        random: &mut ChaCha8Rng,
    ) -> Draft {
        context.seq += 1;
        let id = event_id(time, random);
        Draft { time, id, head: event_type, context: context.fields(), data }
    }

    /// The event as one line of JSON without its line end.
    pub(crate) fn to_json(&self) -> String {
        let mut json = String::with_capacity(200 + self.context.0.len() + self.data.0.len());
        let time = rfc3339(self.time);
        write!(json, "{{\"id\":\"{}\",\"type\":\"{}\",\"time\":\"{time}\"", self.id, self.head)
            .expect("writing to a string never fails");
        write!(json, ",\"context\":{{{}}},\"data\":{{{}}}}}", self.context.0, self.data.0)
            .expect("writing to a string never fails");
        json
    }
}

impl Context {
    fn fields(&self) -> Fields {
        let mut fields = Fields::new()
            .maybe("customer_id", self.customer_id.as_deref())
            .maybe("anonymous_id", self.anonymous_id.as_deref())
            .maybe("session_id", self.session_id.as_deref())
            .plain("seq", self.seq)
            .text("touchpoint", self.touchpoint)
            .text("channel", self.channel)
            .maybe("device", self.device)
            .maybe("mode", self.mode)
            .maybe("persona", self.persona);
        if self.member {
            fields = fields.plain("member", true);
        }
        fields = fields
            .text("locale", self.locale)
            .maybe("app_version", self.app_version)
            .maybe("variant", self.variant)
            .maybe("campaign", self.campaign)
            .maybe("referrer", self.referrer);
        if self.consents {
            fields = fields.plain("consent", "[\"analytics\"]");
        }
        fields.maybe("traffic", self.traffic)
    }
}

/// A UUID of version 7: the time, then chance.
fn event_id(time: i64, random: &mut ChaCha8Rng) -> String {
    let (high, low): (u16, u64) = (random.random(), random.random());
    let low = (low & 0x3fff_ffff_ffff_ffff) | 0x8000_0000_0000_0000;
    format!(
        "{:08x}-{:04x}-7{:03x}-{:04x}-{:012x}",
        time >> 16,
        time & 0xffff,
        high & 0xfff,
        low >> 48,
        low & 0xffff_ffff_ffff
    )
}

/// An id that no other run makes: the time is in it.
pub(crate) fn fresh_id(prefix: &str, time: i64, random: &mut ChaCha8Rng) -> String {
    format!("{prefix}-{time:x}{:08x}", random.random::<u32>())
}

/// A time as text, in UTC with milliseconds.
pub(crate) fn rfc3339(time: i64) -> String {
    let timestamp = jiff::Timestamp::from_millisecond(time).unwrap_or(jiff::Timestamp::MAX);
    format!("{timestamp:.3}")
}
