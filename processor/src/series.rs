//! Series: what a number is about. One per (tenant, metric, detail, touchpoint, channel, device), and one more per value of each
//! further dimension.

use std::cell::RefCell;
use std::collections::HashSet;
use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::Arc;

use touchstream_schemas::keys;
use touchstream_schemas::minutes::Minute;
use touchstream_schemas::panes::Pane;
use touchstream_schemas::time::EventTime;

use crate::hash::{Quick, is_same};

/// Touchpoint, channel and device.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Dimensions {
    /// Touchpoint.
    pub touchpoint: Arc<str>,
    /// Channel.
    pub channel: Arc<str>,
    /// Device class.
    pub device: Arc<str>,
}

/// A further dimension, and the value of it that a series is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Further {
    /// Dimension, as `persona`.
    pub dimension: Arc<str>,
    /// Its value.
    pub value: Arc<str>,
}

/// What a number is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SeriesKey {
    /// Tenant.
    pub tenant: Arc<str>,
    /// One of `touchstream_schemas::panes::metric`.
    pub metric: Arc<str>,
    /// What the metric is further split by; else empty.
    pub detail: Arc<str>,
    /// Touchpoint, channel, device.
    pub dimensions: Dimensions,
    /// The further dimension it is split by, if it is.
    pub further: Option<Further>,
}

/// The eight parts of a series, borrowed, in the order of [`SeriesKey`].
#[derive(Clone, Copy, Debug)]
pub struct SeriesRef<'a>(pub(crate) [&'a str; 8]);

impl PartialEq for SeriesRef<'_> {
    fn eq(&self, other: &SeriesRef<'_>) -> bool {
        self.0.iter().zip(other.0).all(|(one, other)| is_same(one, other))
    }
}

impl Eq for SeriesRef<'_> {}

impl<'a> SeriesRef<'a> {
    /// The series of a metric and detail at one touchpoint, channel and device, given in this order.
    #[must_use]
    pub fn new(
        tenant: &'a str,
        metric: &'a str,
        detail: &'a str,
        [touchpoint, channel, device]: [&'a str; 3],
    ) -> SeriesRef<'a> {
        SeriesRef([tenant, metric, detail, touchpoint, channel, device, "", ""])
    }

    /// The same, of one value of a further dimension.
    #[must_use]
    pub(crate) fn split_by(self, dimension: &'a str, value: &'a str) -> SeriesRef<'a> {
        let [tenant, metric, detail, touchpoint, channel, device, ..] = self.0;
        SeriesRef([tenant, metric, detail, touchpoint, channel, device, dimension, value])
    }

    /// A quick hash, the same for the same series as long as the process lives.
    pub(crate) fn hash(self) -> u64 {
        let mut hasher = Quick::default().build_hasher();
        self.0.into_iter().for_each(|part| hasher.write(part.as_bytes()));
        hasher.finish()
    }

    /// The series with texts of its own.
    #[must_use]
    pub fn to_key(self) -> SeriesKey {
        let [tenant, metric, detail, touchpoint, channel, device, dimension, value] = self.0;
        let key = SeriesKey::new(tenant, metric, detail, [touchpoint, channel, device]);
        if dimension.is_empty() { key } else { key.split_by(dimension, value) }
    }
}

/// Texts that a thread remembers, at most; beyond it forgets all and begins anew.
const INTERNED: usize = 20_000;

thread_local! {
    /// Every event names a series, and most name one that was named before: its parts are shared instead of made again.
    static NAMES: RefCell<HashSet<Arc<str>, Quick>> = RefCell::default();
}

fn intern<const N: usize>(texts: [&str; N]) -> [Arc<str>; N] {
    NAMES.with_borrow_mut(|names| {
        if names.len() > INTERNED {
            names.clear();
        }
        texts.map(|text| match names.get(text) {
            Some(known) => known.clone(),
            None => {
                let shared: Arc<str> = text.into();
                names.insert(shared.clone());
                shared
            }
        })
    })
}

impl SeriesKey {
    /// The series of a metric and detail at one touchpoint, channel and device, given in this order.
    #[must_use]
    pub fn new(
        tenant: &str,
        metric: &str,
        detail: &str,
        [touchpoint, channel, device]: [&str; 3],
    ) -> SeriesKey {
        let [tenant, metric, detail, touchpoint, channel, device] =
            intern([tenant, metric, detail, touchpoint, channel, device]);
        SeriesKey {
            tenant,
            metric,
            detail,
            dimensions: Dimensions { touchpoint, channel, device },
            further: None,
        }
    }

    /// The same, borrowed.
    #[must_use]
    pub fn view(&self) -> SeriesRef<'_> {
        let Dimensions { touchpoint, channel, device } = &self.dimensions;
        let (dimension, value) = self.further();
        SeriesRef([&self.tenant, &self.metric, &self.detail, touchpoint, channel, device, dimension, value])
    }

    /// The same, of one value of a further dimension.
    #[must_use]
    pub fn split_by(&self, dimension: &str, value: &str) -> SeriesKey {
        let further = Further { dimension: dimension.into(), value: value.into() };
        SeriesKey { further: Some(further), ..self.clone() }
    }

    /// Further dimension and its value as records have them: empty when the series is not split by any.
    #[must_use]
    pub fn further(&self) -> (&str, &str) {
        self.further.as_ref().map_or(("", ""), |further| (&further.dimension, &further.value))
    }

    /// A pane of the series that holds nothing yet.
    #[must_use]
    pub(crate) fn empty_pane(&self, minute: Option<EventTime>) -> Pane<'_> {
        Pane {
            tenant: &self.tenant,
            metric: &self.metric,
            detail: &self.detail,
            touchpoint: &self.dimensions.touchpoint,
            channel: &self.dimensions.channel,
            device: &self.dimensions.device,
            dimension: self.further().0,
            dimension_value: self.further().1,
            minute,
            scores: None,
            checkout: None,
            response: None,
            service: None,
            app: None,
            quality: None,
            now: Vec::new(),
        }
    }

    /// A record of the roll-up's state that holds nothing yet.
    #[must_use]
    pub(crate) fn empty_minute<'k>(&'k self, span: &'k str, start: EventTime, revision: i64) -> Minute<'k> {
        Minute {
            tenant: &self.tenant,
            metric: &self.metric,
            detail: &self.detail,
            touchpoint: &self.dimensions.touchpoint,
            channel: &self.dimensions.channel,
            device: &self.dimensions.device,
            dimension: self.further().0,
            dimension_value: self.further().1,
            span,
            start,
            scores: None,
            checkout: None,
            response: None,
            service: None,
            app: None,
            quality: None,
            now: Vec::new(),
            watch: None,
            revision,
        }
    }

    /// The series that a record of the roll-up's state is of.
    #[must_use]
    pub(crate) fn of_minute(minute: &Minute<'_>) -> SeriesKey {
        let dimensions = [minute.touchpoint, minute.channel, minute.device];
        let series = SeriesKey::new(minute.tenant, minute.metric, minute.detail, dimensions);
        if minute.dimension.is_empty() {
            return series;
        }
        series.split_by(minute.dimension, minute.dimension_value)
    }

    /// Kafka key of the series' panes and windows: one owner sees all series of a tenant's metric together.
    #[must_use]
    pub fn partition_key(&self) -> String {
        keys::join(&[&self.tenant, &self.metric])
    }

    /// Kafka key of one record of the series, `suffix` telling which.
    #[must_use]
    pub fn record_key(&self, suffix: &[&str]) -> String {
        let Dimensions { touchpoint, channel, device } = &self.dimensions;
        let mut parts: Vec<&str> =
            vec![&self.tenant, &self.metric, &self.detail, touchpoint, channel, device];
        if let Some(Further { dimension, value }) = &self.further {
            parts.extend([&**dimension, &**value]);
        }
        parts.extend(suffix);
        keys::join(&parts)
    }
}
