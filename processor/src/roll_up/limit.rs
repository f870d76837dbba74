//! Limits on what names can do: how many touchpoints, channels, devices, steps, names of an app, values of each further dimension, and
//! series a metric of a tenant has. What comes beyond counts as `other`, with a warning; every `all` row stays right.
//! A series without room gives way step by step ([`super::limit_pane`]): first its device becomes `other`, then its channel, then its touchpoint.
//!
//! Who is kept? Always what was configured or is named by the contract: listed touchpoints, known channels, configured steps. Of the
//! others the first that came, in the order of `cx.panes`. That order is the one thing here that the set of events does not decide: a choice that only the set decides
//! (the smallest hashes, say) would let a flood of made-up names push out the names that a tenant has used for years.
//!
//! Promise: once a name is kept it stays kept, across restarts and rebalances (it is part of the changelog), as long as anything is held of it; and what
//! was counted under a name is taken back under the same name. For the latter a name that is admitted after any name of its kind
//! was refused begins only after the last minute that was refused: corrections of earlier minutes still go to `other`.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use touchstream_runtime::settings::{MetricSettings, ProcessorSettings};
use touchstream_runtime::touchpoints::{FurtherDimension, KNOWN_CHANNELS, Touchpoints};
use touchstream_schemas::event::UNKNOWN;
use touchstream_schemas::time::{EventTime, Millis};

/// What everything beyond a limit counts as.
pub(super) const OTHER: &str = "other";

/// Of the series that a metric may have, the share that there may be besides of series that gave way, without device and without channel each.
const GIVEN_WAY: usize = 4;

/// What is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Kind {
    Touchpoint,
    Channel,
    Device,
    /// Steps, names of an app, scales, currencies.
    Name,
    /// Values of one further dimension.
    Value(FurtherDimension),
    /// Combinations of all of them.
    Series,
    /// Combinations whose device gave way.
    WithoutDevice,
    /// Combinations whose channel gave way, too.
    WithoutChannel,
}

impl Kind {
    /// As in the changelog.
    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Value(dimension) => dimension.name(),
            other => other.label(),
        }
    }

    /// As in metrics.
    pub(super) fn label(self) -> &'static str {
        match self {
            Kind::Touchpoint => "touchpoint",
            Kind::Channel => "channel",
            Kind::Device => "device",
            Kind::Name => "name",
            Kind::Value(_) => "value",
            Kind::Series => "series",
            Kind::WithoutDevice => "series_without_device",
            Kind::WithoutChannel => "series_without_channel",
        }
    }

    pub(super) fn of(name: &str) -> Option<Kind> {
        let plain = [
            Kind::Touchpoint,
            Kind::Channel,
            Kind::Device,
            Kind::Name,
            Kind::Series,
            Kind::WithoutDevice,
            Kind::WithoutChannel,
        ];
        let kind = plain.into_iter().find(|kind| kind.name() == name);
        kind.or_else(|| FurtherDimension::of_name(name).map(Kind::Value))
    }
}

/// Tenant and metric, within which names are limited.
pub(super) type Scope = (Arc<str>, Arc<str>);

/// A change that the changelog must know: the first minute that counts under a name, or, for an empty name, the minute
/// after the last that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Admission {
    pub(super) scope: Scope,
    pub(super) kind: Kind,
    pub(super) name: Arc<str>,
    /// `None`: forgotten.
    pub(super) from: Option<EventTime>,
}

#[derive(Clone, Debug, Default)]
struct OfKind {
    admitted: HashMap<Arc<str>, EventTime>,
    refused_until: Option<EventTime>,
    is_warned: bool,
}

/// What is kept, by tenant and metric.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    processor: ProcessorSettings,
    /// About now: when what has no minute was refused.
    pub(super) clock: EventTime,
    steps: HashSet<String>,
    touchpoints: Arc<Touchpoints>,
    held: HashMap<Scope, HashMap<Kind, OfKind>>,
    changes: Vec<Admission>,
    others: HashMap<Kind, u64>,
}

impl Limits {
    pub(super) fn new(
        processor: &ProcessorSettings,
        metrics: &MetricSettings,
        touchpoints: Arc<Touchpoints>,
    ) -> Limits {
        let fixed = ["started", "completed"].map(str::to_owned);
        Limits {
            processor: processor.clone(),
            clock: EventTime(0),
            steps: metrics.steps.iter().cloned().chain(fixed).collect(),
            touchpoints,
            held: HashMap::new(),
            changes: Vec::new(),
            others: HashMap::new(),
        }
    }

    fn most(&self, kind: Kind) -> usize {
        let processor = &self.processor;
        match kind {
            Kind::Touchpoint => processor.max_touchpoints,
            Kind::Channel => processor.max_channels,
            Kind::Device => processor.max_devices,
            Kind::Name => processor.max_names,
            Kind::Value(_) => processor.max_values,
            Kind::Series => processor.max_series,
            Kind::WithoutDevice | Kind::WithoutChannel => processor.max_series.div_ceil(GIVEN_WAY),
        }
    }

    /// Whether a name counts as itself in a minute (`None`: in what is open now), or as [`OTHER`]. It is admitted if there is room.
    pub(super) fn keeps(&mut self, scope: &Scope, kind: Kind, name: &str, minute: Option<EventTime>) -> bool {
        if self.is_exempt(scope, kind, name) {
            return true;
        }
        let most = self.most(kind);
        if !self.held.contains_key(scope) {
            self.held.insert(scope.clone(), HashMap::new());
        }
        let of_kind = self.held.get_mut(scope).expect("it was inserted a line ago").entry(kind).or_default();
        let begins = match of_kind.admitted.get(name) {
            Some(from) => Some(*from),
            None if of_kind.admitted.len() < most => {
                let (name, from): (Arc<str>, _) =
                    (name.into(), of_kind.refused_until.unwrap_or(EventTime::MIN));
                of_kind.admitted.insert(name.clone(), from);
                self.changes.push(Admission { scope: scope.clone(), kind, name, from: Some(from) });
                Some(from)
            }
            None => {
                // What is open now has no minute: that anything was refused, and about when, is all that must be known.
                let now = self.clock.floor_to(Millis::HOUR);
                let until = minute.map_or(now, |minute| minute + Millis::MINUTE);
                if of_kind.refused_until.is_none_or(|known| known < until) {
                    of_kind.refused_until = Some(until);
                    let (scope, name) = (scope.clone(), Arc::from(""));
                    self.changes.push(Admission { scope, kind, name, from: Some(until) });
                }
                if !std::mem::replace(&mut of_kind.is_warned, true) {
                    let (tenant, metric) = scope;
                    tracing::warn!(%tenant, %metric, kind = kind.label(), most, "too many names: further ones count as other");
                }
                None
            }
        };
        let is_kept =
            begins.is_some_and(|from| minute.map_or(from == EventTime::MIN, |minute| minute >= from));
        if !is_kept {
            *self.others.entry(kind).or_default() += 1;
        }
        is_kept
    }

    /// Takes an admission back from the changelog.
    pub(super) fn restore(&mut self, scope: Scope, kind: Kind, name: &str, from: EventTime) {
        let of_kind = self.held.entry(scope).or_default().entry(kind).or_default();
        if name.is_empty() {
            of_kind.refused_until = Some(from);
        } else {
            of_kind.admitted.insert(name.into(), from);
        }
    }

    /// Forgets the names of which nothing is held any more, and that something was refused where no correction can come for it any more.
    pub(super) fn forget(&mut self, refused_before: EventTime, is_held: impl Fn(&Scope, Kind, &str) -> bool) {
        let changes = &mut self.changes;
        self.held.retain(|scope, kinds| {
            kinds.retain(|kind, of_kind| {
                let mut forgotten = |name: &Arc<str>| {
                    let (scope, name) = (scope.clone(), name.clone());
                    changes.push(Admission { scope, kind: *kind, name, from: None });
                };
                of_kind.admitted.retain(|name, _| {
                    let stays = is_held(scope, *kind, name);
                    if !stays {
                        forgotten(name);
                    }
                    stays
                });
                if of_kind.refused_until.take_if(|until| *until < refused_before).is_some() {
                    forgotten(&Arc::from(""));
                }
                of_kind.is_warned = false;
                !of_kind.admitted.is_empty() || of_kind.refused_until.is_some()
            });
            !kinds.is_empty()
        });
    }

    /// Names that are held, of all kinds.
    pub(super) fn len(&self) -> usize {
        self.held.values().flat_map(HashMap::values).map(|of_kind| of_kind.admitted.len()).sum()
    }

    /// What the changelog must know since last asked.
    pub(super) fn take_changes(&mut self) -> Vec<Admission> {
        std::mem::take(&mut self.changes)
    }

    /// How much counted as other since last asked, by kind.
    pub(super) fn take_others(&mut self) -> impl Iterator<Item = (Kind, u64)> + use<> {
        std::mem::take(&mut self.others).into_iter()
    }

    pub(super) fn is_exempt(&self, (tenant, _): &Scope, kind: Kind, name: &str) -> bool {
        match kind {
            Kind::Series | Kind::WithoutDevice | Kind::WithoutChannel => false,
            _ if name.is_empty() || name == UNKNOWN || name == OTHER => true,
            Kind::Touchpoint => self.touchpoints.touchpoint(tenant, name).is_some(),
            Kind::Channel => KNOWN_CHANNELS.contains(&name),
            Kind::Name => self.steps.contains(name) || self.is_own_step(tenant, name),
            Kind::Value(FurtherDimension::Member) => ["true", "false"].contains(&name),
            Kind::Value(FurtherDimension::ServiceHours) => ["in", "out"].contains(&name),
            Kind::Device | Kind::Value(_) => false,
        }
    }

    fn is_own_step(&self, tenant: &str, name: &str) -> bool {
        let Some(tenant) = self.touchpoints.tenant(tenant) else { return false };
        let mut steps = tenant.touchpoints.values().filter_map(|touchpoint| touchpoint.steps.as_ref());
        steps.any(|steps| steps.iter().any(|step| step == name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Millis = Millis::MINUTE;

    fn limits(most: usize) -> Limits {
        let mut settings =
            touchstream_runtime::settings::load(None).expect("the defaults are valid").settings;
        settings.processor.max_touchpoints = most;
        let listed = "[tenants.t.touchpoints.listed]\n";
        let touchpoints = Touchpoints::parse("test", listed).expect("it is valid");
        Limits::new(&settings.processor, &settings.metrics, Arc::new(touchpoints))
    }

    fn scope() -> Scope {
        ("t".into(), "nps".into())
    }

    fn keeps(limits: &mut Limits, name: &str, minute: i64) -> bool {
        limits.keeps(&scope(), Kind::Touchpoint, name, Some(EventTime(minute * MINUTE.0)))
    }

    /// A new owner that read the changelog.
    fn restarted(limits: &mut Limits, log: &mut HashMap<Arc<str>, EventTime>, most: usize) -> Limits {
        for Admission { name, from, .. } in limits.take_changes() {
            match from {
                Some(from) => log.insert(name, from),
                None => log.remove(&name),
            };
        }
        let mut fresh = self::limits(most);
        log.iter().for_each(|(name, from)| fresh.restore(scope(), Kind::Touchpoint, name, *from));
        fresh
    }

    #[test]
    fn the_first_are_kept_and_the_configured_always() {
        let mut limits = limits(2);
        assert!(keeps(&mut limits, "a", 1) && keeps(&mut limits, "b", 1));
        assert!(!keeps(&mut limits, "c", 1));
        for name in ["a", "b", "listed", "unknown", "other"] {
            assert!(keeps(&mut limits, name, 2), "{name}");
        }
        assert!(limits.keeps(&("u".into(), "nps".into()), Kind::Touchpoint, "c", None), "another tenant");
        assert_eq!(limits.take_others().collect::<Vec<_>>(), [(Kind::Touchpoint, 1)]);
    }

    #[test]
    fn a_restart_changes_nothing() {
        let (mut limits, mut log) = (limits(2), HashMap::new());
        for (name, minute, expected) in [("a", 1, true), ("b", 1, true), ("c", 7, false)] {
            assert_eq!(keeps(&mut limits, name, minute), expected, "{name}");
            limits = restarted(&mut limits, &mut log, 2);
        }
        assert!(keeps(&mut limits, "b", 8) && !keeps(&mut limits, "c", 8));
    }

    /// What was refused is corrected as it was counted, also after there was room for the name.
    #[test]
    fn a_name_that_was_refused_begins_after_what_was_refused() {
        let (mut limits, mut log) = (limits(1), HashMap::new());
        assert!(keeps(&mut limits, "a", 1));
        assert!(!keeps(&mut limits, "b", 5));
        limits.forget(EventTime::MIN, |_, _, name| name != "a");
        limits = restarted(&mut limits, &mut log, 1);
        assert!(keeps(&mut limits, "b", 6));
        assert!(!keeps(&mut limits, "b", 5), "it counted as other");
        let now = limits.keeps(&scope(), Kind::Touchpoint, "b", None);
        assert!(!now, "what is open may have been opened as other");
        assert!(!keeps(&mut limits, "a", 7), "its place is taken");
    }
}
