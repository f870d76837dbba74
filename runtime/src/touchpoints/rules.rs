//! What a touchpoint states for single rules of regressions, and within which bounds. What the rules do stands in the processor.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde::Deserialize;
use toml::Spanned;

use super::file::{Mistake, mistake};

/// What a touchpoint states for one rule.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleSettings {
    /// Whether the rule watches it.
    pub is_on: bool,
    /// Samples that the rule asks for; `None`: its default.
    pub min_samples: Option<i64>,
    /// How large a change must be at least, in the rule's unit; `None`: its default.
    pub min_effect: Option<f64>,
}

/// A rule that can be set, and what can be set of it.
#[derive(Clone, Debug)]
pub struct SettableRule {
    /// Name.
    pub name: &'static str,
    /// Bounds of `min_effect`; `None`: the rule has none.
    pub effect: Option<RangeInclusive<f64>>,
    /// What `min_effect` is.
    pub unit: &'static str,
}

const SHARE: RangeInclusive<f64> = 0.001..=1.0;

/// Every rule that can be set.
pub const SETTABLE_RULES: [SettableRule; 6] = [
    SettableRule { name: "nps_fell", effect: Some(1.0..=200.0), unit: "points, from 1 to 200" },
    SettableRule {
        name: "drop_off_rose",
        effect: Some(SHARE),
        unit: "a share, from 0.001 to 1 (0.05 is 5 percentage points)",
    },
    SettableRule {
        name: "response_p95_rose",
        effect: Some(0.01..=100.0),
        unit: "a share of the usual time, from 0.01 to 100 (0.25 is a quarter longer)",
    },
    SettableRule { name: "response_slo_burn", effect: None, unit: "" },
    SettableRule { name: "touchpoint_silent", effect: None, unit: "" },
    SettableRule {
        name: "error_rate_rose",
        effect: Some(SHARE),
        unit: "a share, from 0.001 to 1 (0.02 is 2 percentage points)",
    },
];

/// With fewer nothing can be told from chance.
const LEAST_SAMPLES: i64 = 10;
const MOST_SAMPLES: i64 = 1_000_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RuleText {
    enabled: Option<Spanned<bool>>,
    min_samples: Option<Spanned<i64>>,
    min_effect: Option<Spanned<f64>>,
}

pub(super) fn rules(
    written: &BTreeMap<Spanned<String>, RuleText>,
) -> Result<BTreeMap<String, RuleSettings>, Mistake> {
    written.iter().map(|(name, text)| Ok((name.get_ref().clone(), rule(name, text)?))).collect()
}

fn rule(name: &Spanned<String>, written: &RuleText) -> Result<RuleSettings, Mistake> {
    let Some(known) = SETTABLE_RULES.iter().find(|known| known.name == name.get_ref()) else {
        let names = SETTABLE_RULES.iter().map(|known| known.name).collect::<Vec<_>>().join(", ");
        return Err(mistake(name, format!("there is no rule {:?}; the rules are {names}", name.get_ref())));
    };
    if let Some(samples) = &written.min_samples
        && !(LEAST_SAMPLES..=MOST_SAMPLES).contains(samples.get_ref())
    {
        return Err(mistake(samples, format!("expected {LEAST_SAMPLES} to {MOST_SAMPLES} samples")));
    }
    if let Some(effect) = &written.min_effect {
        let Some(bounds) = &known.effect else {
            return Err(mistake(
                effect,
                format!("{} has no min_effect; min_samples is what it asks for", known.name),
            ));
        };
        if !bounds.contains(effect.get_ref()) {
            return Err(mistake(effect, format!("expected {}", known.unit)));
        }
    }
    Ok(RuleSettings {
        is_on: written.enabled.as_ref().is_none_or(|enabled| *enabled.get_ref()),
        min_samples: written.min_samples.as_ref().map(|samples| *samples.get_ref()),
        min_effect: written.min_effect.as_ref().map(|effect| *effect.get_ref()),
    })
}
