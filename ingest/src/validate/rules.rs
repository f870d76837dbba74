//! Rules between fields: scales and scores, amounts and their currency, defaults.

use super::data::Values;
use crate::catalogue::{EventType, Slot};
use crate::problem::{Fault, Findings, code};
use crate::read_value::Value;

/// Applies the rules of the event's type and fills in defaults.
pub(super) fn apply(values: &mut Values<'_>, event_type: &EventType, index: usize, findings: &mut Findings) {
    match event_type.name {
        "feedback.answered" => answered(values, index, findings),
        "chat.message" if values.boolean(Slot::Public).is_none() => {
            values.set(Slot::Public, Value::Boolean(true));
        }
        "chat.call" => {
            for (slot, field) in [(Slot::QueueS, "data.queue_s"), (Slot::TalkS, "data.talk_s")] {
                if values.number(slot).is_some_and(|seconds| !(0.0..=31_536_000.0).contains(&seconds)) {
                    let fault = Fault::new(code::OUT_OF_RANGE, "expected seconds from 0 to one year");
                    findings.reject(index, field, fault);
                }
            }
        }
        _ => {}
    }
    let has_amount = values.get(Slot::Value).is_some() || values.get(Slot::ExtraCost).is_some();
    if has_amount && values.get(Slot::Currency).is_none() {
        let message = "an amount without its currency cannot be summed with others";
        findings.warn(index, "data.currency", code::CURRENCY_MISSING, message);
    }
}

/// A numeric answer needs a score within its scale.
fn answered(values: &mut Values<'_>, index: usize, findings: &mut Findings) {
    let Some(metric) = values.text(Slot::Metric) else { return };
    let (usual, fixed) = match metric {
        "nps" => (Some((0, 10)), true),
        "csat" => (Some((1, 5)), false),
        "ces" => (Some((1, 7)), false),
        "rating" => (None, false),
        _ => return,
    };
    let given = (values.integer(Slot::ScaleMin), values.integer(Slot::ScaleMax));
    let scale = match given {
        (None, None) => usual,
        (Some(min), Some(max)) if min < max => Some((min, max)),
        (Some(_), Some(_)) => {
            let fault = Fault::new(code::OUT_OF_RANGE, "expected scale_max above scale_min");
            findings.reject(index, "data.scale_max", fault);
            return;
        }
        (min, _) => {
            let (missing, other) =
                if min.is_none() { ("scale_min", "scale_max") } else { ("scale_max", "scale_min") };
            let fault = Fault::new(code::MISSING_FIELD, format!("{other} was sent without {missing}"));
            findings.reject(index, &format!("data.{missing}"), fault);
            return;
        }
    };
    if fixed && scale != usual {
        let fault = Fault::new(code::OUT_OF_RANGE, "NPS has the scale 0 to 10");
        findings.reject(index, "data.scale_min", fault);
        return;
    }
    let Some(score) = values.integer(Slot::Score) else {
        // Not sent at all, or sent and refused already.
        if !findings.names(index, "data.score") {
            let fault = Fault::new(code::MISSING_FIELD, format!("an answer of metric {metric} needs it"));
            findings.reject(index, "data.score", fault);
        }
        return;
    };
    let Some((min, max)) = scale else { return };
    if score < min || score > max {
        let fault = Fault::new(code::OUT_OF_RANGE, format!("expected an integer from {min} to {max}"));
        findings.reject(index, "data.score", fault);
    }
    if !fixed && given == (None, None) {
        values.set(Slot::ScaleMin, Value::Integer(min));
        values.set(Slot::ScaleMax, Value::Integer(max));
    }
}
