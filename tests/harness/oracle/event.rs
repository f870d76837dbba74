//! An event as the oracle sees it: the JSON that a client sent.

use serde_json::Value;

/// Touchpoint, channel and device.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Dimensions(pub(crate) [String; 3]);

#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) time: i64,
    context: Value,
    data: Value,
}

impl Event {
    pub(crate) fn parse(json: &str) -> Event {
        let value: Value = serde_json::from_str(json).unwrap_or_else(|error| panic!("{error} in {json}"));
        Event::from_value(&value)
    }

    pub(crate) fn from_value(value: &Value) -> Event {
        let text =
            |name: &str| value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}")).to_owned();
        Event {
            id: text("id"),
            kind: text("type"),
            time: time_of(&text("time")),
            context: value["context"].clone(),
            data: value["data"].clone(),
        }
    }

    pub(crate) fn is_human(&self) -> bool {
        self.context["traffic"].as_str().unwrap_or("human") == "human"
    }

    pub(crate) fn context(&self, name: &str) -> Option<&str> {
        self.context[name].as_str()
    }

    /// A text in the data.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.data[name].as_str()
    }

    pub(crate) fn integer(&self, name: &str) -> Option<i64> {
        self.data[name].as_i64()
    }

    pub(crate) fn truth(&self, name: &str) -> Option<bool> {
        self.data[name].as_bool()
    }

    /// Money in ten-thousandths.
    pub(crate) fn money(&self, name: &str) -> Option<i64> {
        let amount = match &self.data[name] {
            Value::Number(number) => number.as_f64()?,
            Value::String(text) => text.parse().ok()?,
            _ => return None,
        };
        Some((amount * 10_000.0).round() as i64)
    }

    /// The event in one line, for people who look for a difference.
    pub(crate) fn words(&self) -> String {
        let Dimensions(dimensions) = self.dimensions();
        format!("{} {} {} {} {}", rfc3339(self.time), self.id, self.kind, dimensions.join("/"), self.data)
    }

    pub(crate) fn dimensions(&self) -> Dimensions {
        Dimensions(["touchpoint", "channel", "device"].map(|name| {
            let value = self.context(name).unwrap_or("unknown");
            if value.eq_ignore_ascii_case("all") { "unknown".to_owned() } else { value.to_owned() }
        }))
    }
}

/// Milliseconds since 1970 of a time such as `2026-11-22T10:00:00.123Z`.
pub(crate) fn time_of(text: &str) -> i64 {
    let time: jiff::Timestamp = text.parse().unwrap_or_else(|error| panic!("{error} in {text}"));
    time.as_millisecond()
}

/// The time of so many milliseconds since 1970 in words.
pub(crate) fn rfc3339(time: i64) -> String {
    jiff::Timestamp::from_millisecond(time).expect("a test's time is near today").to_string()
}
