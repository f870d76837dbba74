//! What waits and what is open now, for every series; the newest windows show it.

use std::collections::HashMap;

use super::Truth;
use super::event::Dimensions;

/// For each object its name, the query for series and number, and the numbers by series (zero where there is none).
pub(super) fn objects(truth: &Truth) -> [(&'static str, String, HashMap<String, i64>); 2] {
    // A window that is the newest no longer, but not yet final, still shows what was open then.
    let newest = "tenant = '{tenant}' AND window_end > now() FORMAT TabSeparated";
    let waiting = format!(
        "SELECT touchpoint, channel, device, metric, waiting_n FROM {{database}}.response_times \
         WHERE waiting_n IS NOT NULL AND {newest}"
    );
    let open = format!(
        "SELECT touchpoint, channel, device, step, open_n FROM {{database}}.checkout_funnel \
         WHERE open_n IS NOT NULL AND {newest}"
    );
    [("response_times", waiting, waits(truth)), ("checkout_funnel", open, attempts(truth))]
}

fn waits(truth: &Truth) -> HashMap<String, i64> {
    let mut waiting = HashMap::new();
    for cycle in truth.cycles.iter().filter(|cycle| cycle.ended_at.is_none()) {
        let mut waits = |metric: &str| count(&mut waiting, &cycle.dimensions, metric);
        if cycle.first_customer_at.is_some() {
            waits("resolution");
            if cycle.first_response_at.is_none() && !cycle.is_agent_initiated {
                waits("first_response_customer");
                waits("first_response_team");
            }
        }
        if cycle.waiting_since.is_some() {
            waits("reply");
        }
    }
    waiting
}

fn attempts(truth: &Truth) -> HashMap<String, i64> {
    let mut open = HashMap::new();
    for attempt in truth.attempts.iter().filter(|attempt| attempt.ended_at.is_none()) {
        count(&mut open, &attempt.dimensions, &attempt.furthest_step);
    }
    open
}

/// Once in every series that the dimensions belong to.
fn count(counts: &mut HashMap<String, i64>, dimensions: &Dimensions, detail: &str) {
    for mask in 0..8 {
        let shown =
            |place: usize| if mask & (1 << place) == 0 { dimensions.0[place].as_str() } else { "all" };
        let series = [shown(0), shown(1), shown(2), detail].join("\t");
        *counts.entry(series).or_insert(0) += 1;
    }
}
