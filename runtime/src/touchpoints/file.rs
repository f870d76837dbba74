//! The file as it is written, and the checks on it. A mistake knows the byte at which it stands.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Deserialize;
use toml::Spanned;

use super::rules::{RuleText, rules};
use super::service_times::{ServiceSpan, ServiceTimes, WHOLE_DAY};
use super::{Tenant, Touchpoint, USUAL_IMPORTANCE};

/// Longest name of anything, in bytes.
const LONGEST_NAME: usize = 128;
/// Most steps of one touchpoint; an attempt has a row for each.
const MOST_STEPS: usize = 50;
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const HOURS_EXPECTED: &str = "expected days and hours as in \"mon-fri 09:00-18:00\" or \"sat 10:00-14:00\"; \
     a night is written in two parts, until 24:00 and from 00:00";

/// A dimension of events besides touchpoint, channel and device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FurtherDimension {
    /// `context.persona`.
    Persona,
    /// `context.member`: true or false.
    Member,
    /// `context.locale`.
    Locale,
    /// `context.variant`.
    Variant,
    /// `context.app_version`.
    AppVersion,
    /// Whether it happened within the service hours of its touchpoint: in or out.
    ServiceHours,
}

impl FurtherDimension {
    /// All of them.
    pub const ALL: [FurtherDimension; 6] = [
        FurtherDimension::Persona,
        FurtherDimension::Member,
        FurtherDimension::Locale,
        FurtherDimension::Variant,
        FurtherDimension::AppVersion,
        FurtherDimension::ServiceHours,
    ];

    /// The dimension of this name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<FurtherDimension> {
        FurtherDimension::ALL.into_iter().find(|dimension| dimension.name() == name)
    }

    /// As in the file and in ClickHouse.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            FurtherDimension::Persona => "persona",
            FurtherDimension::Member => "member",
            FurtherDimension::Locale => "locale",
            FurtherDimension::Variant => "variant",
            FurtherDimension::AppVersion => "app_version",
            FurtherDimension::ServiceHours => "service_hours",
        }
    }
}

pub(super) struct Mistake {
    pub(super) at: usize,
    pub(super) message: String,
}

pub(super) fn mistake<T>(at: &Spanned<T>, message: impl Into<String>) -> Mistake {
    Mistake { at: at.span().start, message: message.into() }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileText {
    #[serde(default)]
    tenants: BTreeMap<Spanned<String>, TenantText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TenantText {
    time_zone: Option<Spanned<String>>,
    service_hours: Option<Vec<Spanned<String>>>,
    holidays: Option<Vec<Spanned<String>>>,
    #[serde(default)]
    dimensions: Vec<Spanned<FurtherDimension>>,
    #[serde(default)]
    touchpoints: BTreeMap<Spanned<String>, TouchpointText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TouchpointText {
    stage: Option<Spanned<String>>,
    owner: Option<Spanned<String>>,
    monitored: Option<Spanned<bool>>,
    importance: Option<Spanned<i64>>,
    runbook: Option<Spanned<String>>,
    #[serde(default)]
    rules: BTreeMap<Spanned<String>, RuleText>,
    slo_first_response_s: Option<Spanned<i64>>,
    steps: Option<Spanned<Vec<Spanned<String>>>>,
    time_zone: Option<Spanned<String>>,
    service_hours: Option<Vec<Spanned<String>>>,
    holidays: Option<Vec<Spanned<String>>>,
}

/// Hours, holidays and time zone as far as they are stated.
#[derive(Clone, Default)]
struct Stated {
    time_zone: Option<TimeZone>,
    week: Option<[Vec<ServiceSpan>; 7]>,
    holidays: Option<BTreeSet<Date>>,
}

impl Stated {
    fn of(
        time_zone: Option<&Spanned<String>>,
        hours: Option<&Vec<Spanned<String>>>,
        holidays: Option<&Vec<Spanned<String>>>,
    ) -> Result<Stated, Mistake> {
        Ok(Stated {
            time_zone: time_zone.map(zone).transpose()?,
            week: hours.map(|hours| week(hours)).transpose()?,
            holidays: holidays.map(|days| days.iter().map(date).collect()).transpose()?,
        })
    }

    /// What is stated here, else what is stated for the tenant.
    fn or(self, tenant: &Stated) -> Stated {
        Stated {
            time_zone: self.time_zone.or_else(|| tenant.time_zone.clone()),
            week: self.week.or_else(|| tenant.week.clone()),
            holidays: self.holidays.or_else(|| tenant.holidays.clone()),
        }
    }

    fn into_times(self) -> Option<ServiceTimes> {
        let holidays = self.holidays.unwrap_or_default();
        if self.week.is_none() && holidays.is_empty() {
            return None;
        }
        let week = self.week.unwrap_or_else(|| std::array::from_fn(|_| vec![WHOLE_DAY]));
        Some(ServiceTimes::new(self.time_zone.unwrap_or(TimeZone::UTC), week, holidays))
    }
}

pub(super) fn parse(text: &str) -> Result<BTreeMap<String, Tenant>, Mistake> {
    let file: FileText = toml::from_str(text).map_err(|error| Mistake {
        at: error.span().map_or(0, |span| span.start),
        message: error.message().to_owned(),
    })?;
    let mut tenants = BTreeMap::new();
    for (name, written) in file.tenants {
        tenants.insert(name_of(&name)?, tenant(written)?);
    }
    Ok(tenants)
}

fn tenant(written: TenantText) -> Result<Tenant, Mistake> {
    let stated =
        Stated::of(written.time_zone.as_ref(), written.service_hours.as_ref(), written.holidays.as_ref())?;
    let mut tenant = Tenant { time_zone: stated.time_zone.clone(), ..Tenant::default() };
    for dimension in &written.dimensions {
        if tenant.dimensions.contains(dimension.get_ref()) {
            return Err(mistake(dimension, "a dimension is listed once"));
        }
        tenant.dimensions.push(*dimension.get_ref());
    }
    for (name, touchpoint) in written.touchpoints {
        if ["all", "other"].contains(&name.get_ref().to_lowercase().as_str()) {
            let message = format!("{:?} is a reserved word, not a touchpoint's name", name.get_ref());
            return Err(mistake(&name, message));
        }
        tenant.touchpoints.insert(name_of(&name)?, touchpoint_of(&touchpoint, &stated)?);
    }
    tenant.service_times = stated.into_times();
    Ok(tenant)
}

fn touchpoint_of(written: &TouchpointText, tenant: &Stated) -> Result<Touchpoint, Mistake> {
    let name = |field: &Option<Spanned<String>>| field.as_ref().map(name_of).transpose();
    if let Some(slo) = &written.slo_first_response_s
        && !(1..=30 * 86_400).contains(slo.get_ref())
    {
        return Err(mistake(slo, "expected 1 second to 30 days, in seconds"));
    }
    if let Some(monitored) = &written.monitored
        && *monitored.get_ref()
        && written.owner.is_none()
    {
        return Err(mistake(
            monitored,
            "a monitored touchpoint needs an owner, who is told of its regressions",
        ));
    }
    let stated =
        Stated::of(written.time_zone.as_ref(), written.service_hours.as_ref(), written.holidays.as_ref())?;
    Ok(Touchpoint {
        is_monitored: written.monitored.as_ref().map_or(written.owner.is_some(), |stated| *stated.get_ref()),
        stage: name(&written.stage)?,
        owner: name(&written.owner)?,
        rules: rules(&written.rules)?,
        importance: written.importance.as_ref().map(importance).transpose()?.unwrap_or(USUAL_IMPORTANCE),
        runbook: written.runbook.as_ref().map(address).transpose()?,
        slo_first_response_s: written.slo_first_response_s.as_ref().map(|slo| *slo.get_ref()),
        steps: written.steps.as_ref().map(steps).transpose()?,
        service_times: stated.or(tenant).into_times(),
    })
}

fn name_of(text: &Spanned<String>) -> Result<String, Mistake> {
    let name = text.get_ref();
    if name.trim().is_empty() || name.len() > LONGEST_NAME || name.chars().any(char::is_control) {
        let message = format!("expected a name of 1 to {LONGEST_NAME} bytes without control characters");
        return Err(mistake(text, message));
    }
    Ok(name.clone())
}

fn importance(number: &Spanned<i64>) -> Result<u8, Mistake> {
    let fits = u8::try_from(*number.get_ref()).ok().filter(|number| (1..=5).contains(number));
    fits.ok_or_else(|| mistake(number, "expected 1 (least) to 5 (most important)"))
}

fn address(text: &Spanned<String>) -> Result<String, Mistake> {
    let address = text.get_ref();
    if !address.starts_with("https://") && !address.starts_with("http://") {
        return Err(mistake(text, "expected an address that begins with https:// or http://"));
    }
    Ok(address.clone())
}

fn steps(written: &Spanned<Vec<Spanned<String>>>) -> Result<Vec<String>, Mistake> {
    let list = written.get_ref();
    if list.is_empty() || list.len() > MOST_STEPS {
        return Err(mistake(written, format!("expected 1 to {MOST_STEPS} steps")));
    }
    let mut steps = Vec::new();
    for step in list {
        let name = name_of(step)?;
        if ["started", "completed"].contains(&name.as_str()) {
            return Err(mistake(step, format!("{name:?} is always there, it is not listed")));
        }
        if steps.contains(&name) {
            return Err(mistake(step, format!("step {name:?} is listed twice")));
        }
        steps.push(name);
    }
    Ok(steps)
}

fn zone(name: &Spanned<String>) -> Result<TimeZone, Mistake> {
    TimeZone::get(name.get_ref()).map_err(|_| {
        let message = format!(
            "there is no time zone {:?}; expected a name as in \"Europe/Berlin\" or \"UTC\"",
            name.get_ref()
        );
        mistake(name, message)
    })
}

fn date(text: &Spanned<String>) -> Result<Date, Mistake> {
    let parsed = text.get_ref().parse::<Date>();
    parsed.map_err(|_| {
        mistake(text, format!("{:?} is no day; expected one as in \"2026-12-25\"", text.get_ref()))
    })
}

fn week(lines: &[Spanned<String>]) -> Result<[Vec<ServiceSpan>; 7], Mistake> {
    let mut week: [Vec<ServiceSpan>; 7] = Default::default();
    for line in lines {
        let (days, span) = service_line(line.get_ref())
            .ok_or_else(|| mistake(line, format!("{:?}: {HOURS_EXPECTED}", line.get_ref())))?;
        for day in days {
            if week[day]
                .iter()
                .any(|other| span.from_minute < other.to_minute && other.from_minute < span.to_minute)
            {
                return Err(mistake(
                    line,
                    format!("{:?} overlaps other hours of {}", line.get_ref(), DAYS[day]),
                ));
            }
            week[day].push(span);
            week[day].sort_unstable();
        }
    }
    Ok(week)
}

/// `mon-fri 09:00-18:00` as days (Monday is 0) and hours.
fn service_line(line: &str) -> Option<(Vec<usize>, ServiceSpan)> {
    let (days, hours) = line.trim().split_once(' ')?;
    let day = |name: &str| DAYS.iter().position(|day| name.eq_ignore_ascii_case(day));
    let (first, last) = match days.split_once('-') {
        Some((first, last)) => (day(first)?, day(last)?),
        None => (day(days)?, day(days)?),
    };
    // "sat-mon" runs over the end of the week.
    let count = (last + 7 - first) % 7 + 1;
    let days = (first..first + count).map(|day| day % 7).collect();
    let (from, to) = hours.trim().split_once('-')?;
    let span = ServiceSpan { from_minute: minute(from)?, to_minute: minute(to)? };
    (span.from_minute < span.to_minute).then_some((days, span))
}

fn minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    if hour.len() != 2 || minute.len() != 2 {
        return None;
    }
    let (hour, minute) = (hour.parse::<u16>().ok()?, minute.parse::<u16>().ok()?);
    let total = hour * 60 + minute;
    (minute < 60 && total <= WHOLE_DAY.to_minute).then_some(total)
}
