//! Touchpoints: what is known of each touchpoint of each tenant, from one TOML file (`processor.touchpoints_file`), explained in
//! `docs/touchpoints.md`.
//!
//! [`Touchpoints::load`] reads and checks the whole file at the start; a mistake names the file, its line and what is expected there.
//! A touchpoint that says nothing of service hours, holidays or time zone has those of its tenant.

mod file;
mod rules;
mod service_times;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;

use jiff::tz::TimeZone;

pub use file::FurtherDimension;
pub use rules::{RuleSettings, SETTABLE_RULES, SettableRule};
pub use service_times::{ServiceSpan, ServiceTimes};

/// Channels that everybody means the same by.
pub const KNOWN_CHANNELS: [&str; 15] = [
    "web", "app", "chat", "bot", "email", "phone", "sms", "whatsapp", "social", "video", "forum", "form",
    "store", "print", "machine",
];

/// Importance of a touchpoint that states none.
pub const USUAL_IMPORTANCE: u8 = 3;

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TouchpointsError {
    /// It cannot be read.
    #[error("failed to read the touchpoints file {path}: {source}")]
    Read {
        /// Path as given.
        path: String,
        /// Cause.
        source: std::io::Error,
    },
    /// Something in it is not as it must be.
    #[error("failed to use the touchpoints file {path} line {line}: {message}")]
    Mistake {
        /// Path as given.
        path: String,
        /// Line, from 1.
        line: usize,
        /// What is wrong and what is expected.
        message: String,
    },
}

/// All that the file says, by tenant.
#[derive(Clone, Debug, Default)]
pub struct Touchpoints {
    tenants: BTreeMap<String, Tenant>,
}

/// What is known of a tenant.
#[derive(Clone, Debug, Default)]
pub struct Tenant {
    /// Time zone of its days, weeks and hours of the week; `None` is UTC.
    pub time_zone: Option<TimeZone>,
    /// Further dimensions by which every metric is computed, each once, in the order of the file.
    pub dimensions: Vec<FurtherDimension>,
    /// Its touchpoints by name.
    pub touchpoints: BTreeMap<String, Touchpoint>,
    /// Service times of touchpoints that are not listed; `None` is 24 hours on 7 days.
    pub service_times: Option<ServiceTimes>,
}

/// What is known of a touchpoint.
#[derive(Clone, Debug)]
pub struct Touchpoint {
    /// Stage of the customer's journey.
    pub stage: Option<String>,
    /// Who is to be told.
    pub owner: Option<String>,
    /// Whether the rules of regressions watch it; its owner is told.
    pub is_monitored: bool,
    /// What it states for single rules, by their names.
    pub rules: BTreeMap<String, RuleSettings>,
    /// 1 (least) to 5 (most).
    pub importance: u8,
    /// Where it says what to do.
    pub runbook: Option<String>,
    /// Service level of the first response in seconds; `None`: that of the settings.
    pub slo_first_response_s: Option<i64>,
    /// Order of the checkout's steps; `None`: that of the settings.
    pub steps: Option<Vec<String>>,
    /// When somebody serves; `None` is 24 hours on 7 days.
    pub service_times: Option<ServiceTimes>,
}

impl Touchpoints {
    /// Reads and checks the file; an empty path is no file, and nothing is known of any touchpoint.
    ///
    /// # Errors
    /// When it cannot be read or something in it is not as it must be, with the line.
    pub fn load(path: &str) -> Result<Touchpoints, TouchpointsError> {
        if path.is_empty() {
            return Ok(Touchpoints::default());
        }
        let text = std::fs::read_to_string(Path::new(path))
            .map_err(|source| TouchpointsError::Read { path: path.to_owned(), source })?;
        Touchpoints::parse(path, &text)
    }

    /// Checks the text of a file; `path` is for messages.
    ///
    /// # Errors
    /// When something in it is not as it must be, with the line.
    pub fn parse(path: &str, text: &str) -> Result<Touchpoints, TouchpointsError> {
        file::parse(text).map(|tenants| Touchpoints { tenants }).map_err(|mistake| {
            TouchpointsError::Mistake {
                path: path.to_owned(),
                line: text[..mistake.at.min(text.len())].matches('\n').count() + 1,
                message: mistake.message,
            }
        })
    }

    /// What is known of a tenant.
    #[must_use]
    pub fn tenant(&self, tenant: &str) -> Option<&Tenant> {
        self.tenants.get(tenant)
    }

    /// All tenants that the file names.
    pub fn tenants(&self) -> impl Iterator<Item = (&str, &Tenant)> {
        self.tenants.iter().map(|(name, tenant)| (name.as_str(), tenant))
    }

    /// What is known of a touchpoint.
    #[must_use]
    pub fn touchpoint(&self, tenant: &str, touchpoint: &str) -> Option<&Touchpoint> {
        self.tenant(tenant)?.touchpoints.get(touchpoint)
    }

    /// When somebody serves at a touchpoint, listed or not; `None` is 24 hours on 7 days.
    #[must_use]
    pub fn service_times(&self, tenant: &str, touchpoint: &str) -> Option<&ServiceTimes> {
        let tenant = self.tenant(tenant)?;
        match tenant.touchpoints.get(touchpoint) {
            Some(listed) => listed.service_times.as_ref(),
            None => tenant.service_times.as_ref(),
        }
    }

    /// The further dimensions of a tenant.
    #[must_use]
    pub fn dimensions(&self, tenant: &str) -> &[FurtherDimension] {
        self.tenant(tenant).map_or(&[], |tenant| &tenant.dimensions)
    }
}
