//! `touchstream incident`: notes outages and holidays, so that their hours are no baseline of any rule; lists them, and takes them back.
//!
//! What it writes goes to the topic of marks, which the processor follows: it holds from the next check on, also for what is past.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::anyhow;
use clap::{Args, Subcommand};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use serde::Serialize;
use touchstream_runtime::compacted;
use touchstream_runtime::settings::{self, Settings};
use touchstream_runtime::touchpoints::Touchpoints;
use touchstream_schemas::marks::{IncidentMark, Mark};
use touchstream_schemas::time::{EventTime, Millis};
use touchstream_schemas::topics::Topics;

use crate::error::{CommandError, failed};

const CLIENT: &str = "touchstream-incident";
/// Longer than any outage or holiday: a mistyped year.
const LONGEST: Millis = Millis::DAY.times(62);
/// Baselines do not reach back further.
const OF_USE: Millis = Millis::DAY.times(8 * 7);
/// Longest note, in bytes.
const LONGEST_NOTE: usize = 500;
const TIMES: &str = "a time is such as 2026-11-20, 2026-11-20T10:00 (UTC), 2026-11-20T10:00+01:00, now, \"2h ago\" or \"1d12h ago\"";

#[derive(Debug, Subcommand)]
pub(crate) enum IncidentCommand {
    /// Keep an outage or holiday out of baselines; the same one twice is one.
    #[command(
        after_help = "Examples:\n  touchstream incident add --from \"2h ago\" --to now --note \"the bank was away\"\n  touchstream \
                      incident add --tenant shop --touchpoint checkout --from 2026-11-20T10:00Z --to 2026-11-20T12:30Z\n  touchstream \
                      incident add --tenant shop --from 2026-12-25 --to 2026-12-27 --note Christmas"
    )]
    Add(AddOptions),
    /// List what was added, the newest last.
    #[command(after_help = "Examples:\n  touchstream incident list\n  touchstream incident list --json")]
    List(ListOptions),
    /// Take one back, by the id that `add` and `list` show.
    #[command(after_help = "Example:\n  touchstream incident remove 3f9a01bc")]
    Remove(RemoveOptions),
}

#[derive(Debug, Args)]
pub(crate) struct AddOptions {
    /// Its first moment: a date, a time (UTC unless it says otherwise), or how long ago, as \"2h ago\".
    #[arg(long, value_name = "T")]
    from: String,
    /// Its end, exclusive: the same forms, or now.
    #[arg(long, value_name = "T")]
    to: String,
    /// Only this tenant [default: all].
    #[arg(long, value_name = "T")]
    tenant: Option<String>,
    /// Only this touchpoint [default: all].
    #[arg(long, value_name = "T")]
    touchpoint: Option<String>,
    /// What it was, for people.
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// Machine-readable output.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ListOptions {
    /// Machine-readable output.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RemoveOptions {
    /// Id of the incident.
    #[arg(value_name = "ID")]
    id: String,
    /// Machine-readable output.
    #[arg(long)]
    json: bool,
}

/// An incident as it is shown.
#[derive(Debug, Serialize)]
struct Shown<'i> {
    id: &'i str,
    tenant: Option<&'i str>,
    touchpoint: Option<&'i str>,
    from: String,
    to: String,
    note: Option<&'i str>,
}

impl<'i> Shown<'i> {
    fn of(id: &'i str, incident: &'i IncidentMark) -> Shown<'i> {
        Shown {
            id,
            tenant: incident.tenant.as_deref(),
            touchpoint: incident.touchpoint.as_deref(),
            from: shown(incident.from),
            to: shown(incident.to),
            note: incident.note.as_deref(),
        }
    }

    fn line(&self) -> String {
        let Shown { id, from, to, .. } = self;
        let at = match (self.tenant, self.touchpoint) {
            (None, None) => "everything".to_owned(),
            (Some(tenant), None) => format!("tenant {tenant}"),
            (None, Some(touchpoint)) => format!("touchpoint {touchpoint} of every tenant"),
            (Some(tenant), Some(touchpoint)) => format!("touchpoint {touchpoint} of tenant {tenant}"),
        };
        let note = self.note.map(|note| format!("  {note}")).unwrap_or_default();
        format!("{id}  {from} to {to}  {at}{note}")
    }
}

/// Adds, lists or takes back.
#[expect(clippy::print_stdout, reason = "what was done is this command's output")]
pub(crate) async fn run(config: Option<&Path>, command: IncidentCommand) -> Result<(), CommandError> {
    let settings = settings::load(config)?.settings;
    let topic = Topics::new(&settings.kafka.topic_prefix).marks();
    let worked = tokio::task::spawn_blocking(move || match command {
        IncidentCommand::Add(options) => {
            let incident = incident(&settings, &options, EventTime::now())?;
            let (id, mark) = (incident.id(), Mark::Incident(incident.clone()).to_json());
            let key = IncidentMark::key(&id);
            compacted::write(&settings.kafka, &topic, CLIENT, &key, Some(&mark)).map_err(failed)?;
            let shown = Shown::of(&id, &incident);
            if options.json { json(&shown) } else { Ok(format!("kept out of baselines: {}", shown.line())) }
        }
        IncidentCommand::List(options) => {
            let incidents = read(&settings, &topic)?;
            let mut incidents: Vec<_> = incidents.iter().collect();
            incidents.sort_by_key(|(_, incident)| incident.from);
            let shown: Vec<Shown<'_>> =
                incidents.iter().map(|(id, incident)| Shown::of(id, incident)).collect();
            match (options.json, shown.is_empty()) {
                (true, _) => json(&shown),
                (false, true) => {
                    Ok("no incidents; `touchstream incident add --help` shows how to add one".to_owned())
                }
                (false, false) => Ok(shown.iter().map(Shown::line).collect::<Vec<_>>().join("\n")),
            }
        }
        IncidentCommand::Remove(options) => {
            let incidents = read(&settings, &topic)?;
            let Some(incident) = incidents.get(&options.id) else {
                let known = incidents.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
                let known =
                    if known.is_empty() { "there is none".to_owned() } else { format!("there are {known}") };
                return Err(CommandError::Usage(anyhow!(
                    "failed to find incident {:?}: {known}",
                    options.id
                )));
            };
            let key = IncidentMark::key(&options.id);
            compacted::write(&settings.kafka, &topic, CLIENT, &key, None).map_err(failed)?;
            let shown = Shown::of(&options.id, incident);
            if options.json { json(&shown) } else { Ok(format!("part of baselines again: {}", shown.line())) }
        }
    });
    println!("{}", worked.await.map_err(failed)??);
    Ok(())
}

fn json(shown: &impl Serialize) -> Result<String, CommandError> {
    serde_json::to_string_pretty(shown).map_err(failed)
}

fn shown(at: EventTime) -> String {
    Timestamp::from_millisecond(at.0).map_or_else(|_| at.0.to_string(), |at| at.to_string())
}

/// Incidents by their ids.
fn read(settings: &Settings, topic: &str) -> Result<BTreeMap<String, IncidentMark>, CommandError> {
    let mut incidents = BTreeMap::new();
    for (key, value) in compacted::read_all(&settings.kafka, topic, CLIENT).map_err(failed)? {
        let key = String::from_utf8_lossy(&key);
        let Some(id) = IncidentMark::id_of_key(&key) else { continue };
        match value.as_deref().map(Mark::of_json) {
            Some(Ok(Mark::Incident(incident))) => drop(incidents.insert(id.to_owned(), incident)),
            _ => drop(incidents.remove(id)),
        }
    }
    Ok(incidents)
}

/// What is asked for, if it makes sense.
fn incident(settings: &Settings, options: &AddOptions, now: EventTime) -> Result<IncidentMark, CommandError> {
    let refuse = |why: String| CommandError::Usage(anyhow!("failed to add an incident: {why}"));
    let (from, to) = (moment("--from", &options.from, now)?, moment("--to", &options.to, now)?);
    if from >= to {
        let (first, last) = (shown(from), shown(to));
        return Err(refuse(format!("--to {last} is not after --from {first}")));
    }
    if to - from > LONGEST {
        let days = (to - from).0 / Millis::DAY.0;
        return Err(refuse(format!("{days} days are no incident; at most 62 are kept out of baselines")));
    }
    if let Some(note) = &options.note
        && (note.len() > LONGEST_NOTE || note.chars().any(char::is_control))
    {
        return Err(refuse(format!("--note is longer than {LONGEST_NOTE} bytes or has control characters")));
    }
    if now - to > OF_USE {
        eprintln!("this has no effect: baselines reach back 8 weeks");
    }
    let file = &settings.processor.touchpoints_file;
    let known = Touchpoints::load(file).map_err(|error| CommandError::Usage(error.into()))?;
    check_names(&known, options.tenant.as_deref(), options.touchpoint.as_deref()).map_err(refuse)?;
    Ok(IncidentMark {
        tenant: options.tenant.clone(),
        touchpoint: options.touchpoint.clone(),
        from,
        to,
        note: options.note.clone(),
    })
}

/// The rules watch what the touchpoints file lists: another name is a mistake. Without such a file on this machine nobody can tell.
fn check_names(known: &Touchpoints, tenant: Option<&str>, touchpoint: Option<&str>) -> Result<(), String> {
    let list = |names: BTreeSet<&str>| names.into_iter().collect::<Vec<_>>().join(", ");
    let tenants: BTreeSet<&str> = known.tenants().map(|(name, _)| name).collect();
    if tenants.is_empty() {
        if touchpoint.is_some() {
            eprintln!("the touchpoint's name is not checked: processor.touchpoints_file is not set here");
        }
        return Ok(());
    }
    if let Some(tenant) = tenant
        && !tenants.contains(tenant)
    {
        return Err(format!(
            "there is no tenant {tenant:?} in the touchpoints file; there are {}",
            list(tenants)
        ));
    }
    let is_of = |name: &str| tenant.is_none_or(|tenant| tenant == name);
    let touchpoints =
        known.tenants().filter(|(name, _)| is_of(name)).flat_map(|(_, known)| known.touchpoints.keys());
    let touchpoints: BTreeSet<&str> = touchpoints.map(String::as_str).collect();
    match touchpoint {
        Some(name) if !touchpoints.contains(name) => {
            let list = if touchpoints.is_empty() {
                "it lists none".to_owned()
            } else {
                format!("there are {}", list(touchpoints))
            };
            Err(format!("there is no touchpoint {name:?} in the touchpoints file; {list}"))
        }
        _ => Ok(()),
    }
}

fn moment(option: &str, text: &str, now: EventTime) -> Result<EventTime, CommandError> {
    let trimmed = text.trim();
    if trimmed == "now" {
        return Ok(now);
    }
    let read = || -> Result<Timestamp, jiff::Error> {
        if let Ok(timestamp) = trimmed.parse::<Timestamp>() {
            return Ok(timestamp);
        }
        if let Ok(civil) = trimmed.parse::<jiff::civil::DateTime>() {
            return Ok(civil.to_zoned(TimeZone::UTC)?.timestamp());
        }
        let span: Span = trimmed.parse()?;
        let now = Timestamp::from_millisecond(now.0)?.to_zoned(TimeZone::UTC);
        Ok(now.checked_add(span)?.timestamp())
    };
    match read() {
        Ok(timestamp) => Ok(EventTime(timestamp.as_millisecond())),
        Err(_) => Err(CommandError::Usage(anyhow!("failed to understand {option} {text:?}: {TIMES}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: EventTime = EventTime(1_767_571_200_000); // 2026-01-05T00:00Z

    #[test]
    fn times_are_given_as_such_or_by_how_long_ago() {
        let read = |text| shown(moment("--from", text, NOW).expect(text));
        for (text, expected) in [
            ("2026-01-04", "2026-01-04T00:00:00Z"),
            ("2026-01-04T10:00", "2026-01-04T10:00:00Z"),
            ("2026-01-04T10:00Z", "2026-01-04T10:00:00Z"),
            ("2026-01-04T10:00+01:00", "2026-01-04T09:00:00Z"),
            ("now", "2026-01-05T00:00:00Z"),
            ("2h ago", "2026-01-04T22:00:00Z"),
            ("1 day 12 hours ago", "2026-01-03T12:00:00Z"),
            ("1d12h ago", "2026-01-03T12:00:00Z"),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
        for wrong in ["soon", "", "20.11.2026", "2026-13-01"] {
            let error = moment("--to", wrong, NOW).expect_err(wrong).to_string();
            assert!(error.contains("--to") && error.contains("2h ago"), "{error}");
        }
    }

    #[test]
    fn a_mistake_is_named_with_what_is_possible() {
        let settings = settings::load(None).expect("the defaults are valid").settings;
        let options = |from: &str, to: &str| AddOptions {
            from: from.to_owned(),
            to: to.to_owned(),
            tenant: None,
            touchpoint: None,
            note: None,
            json: false,
        };
        let refused = |options| incident(&settings, &options, NOW).expect_err("a mistake").to_string();
        assert!(refused(options("now", "1h ago")).contains("--to 2026-01-04T23:00:00Z is not after"));
        assert!(refused(options("2025-01-04", "2026-01-04")).contains("365 days"));
        let note = Some("x".repeat(501));
        assert!(refused(AddOptions { note, ..options("1h ago", "now") }).contains("500 bytes"));

        let text = "[tenants.shop.touchpoints.checkout]\n[tenants.shop.touchpoints.cart]\n[tenants.bank]\n";
        let known = Touchpoints::parse("file", text).expect("it is valid");
        let check = |tenant, touchpoint| check_names(&known, tenant, touchpoint);
        assert_eq!(check(Some("shop"), Some("cart")), Ok(()));
        assert_eq!(check(None, Some("cart")), Ok(()));
        assert!(check(Some("shp"), None).is_err_and(|error| error.contains("there are bank, shop")));
        assert!(check(Some("shop"), Some("chekout")).is_err_and(|error| error.contains("cart, checkout")));
        assert!(check(Some("bank"), Some("cart")).is_err_and(|error| error.contains("lists none")));
        assert_eq!(check_names(&Touchpoints::default(), Some("any"), Some("any")), Ok(()), "nobody knows");
    }
}
