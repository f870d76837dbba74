//! The SQL of `deploy/clickhouse`, compiled in: numbered migrations that run once, and retention, views and access that are applied
//! again whenever their rendered text changes. One template serves all forms of an object; `render` fills it in.

/// One file, in one form.
#[derive(Clone, Debug)]
pub(super) struct SqlFile {
    /// Name without its ending, with the form's suffix; the key in `schema_migrations`.
    pub(super) name: String,
    /// Text with placeholders in braces.
    pub(super) template: &'static str,
    /// Whether it runs once and may never change.
    pub(super) once: bool,
    /// How the object is cut.
    pub(super) form: Form,
    /// The words that differ where one template serves two objects.
    pub(super) words: Option<&'static Words>,
}

/// How an object's rows are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// As the template says; rolling windows.
    Plain,
    /// Rolling windows, split by a further dimension.
    By,
    /// Minutes.
    Minutes,
    /// Hours of the tenant's time zone.
    Hours,
    /// Days of the tenant's time zone.
    Days,
}

/// What differs between customer satisfaction and customer effort.
#[derive(Debug)]
pub(super) struct Words {
    pub(super) score: &'static str,
    pub(super) score_name: &'static str,
    pub(super) satisfied: &'static str,
}

macro_rules! sql {
    ($name:literal) => {
        ($name, include_str!(concat!("../../../deploy/clickhouse/", $name, ".sql")))
    };
}

/// Numbered files, in order.
const MIGRATIONS: &[(&str, &str)] = &[
    sql!("migrations/0001_events_checkout"),
    sql!("migrations/0002_events_chat"),
    sql!("migrations/0003_events_feedback"),
    sql!("migrations/0004_events_app"),
    sql!("migrations/0005_facts"),
    sql!("migrations/0006_windows"),
    sql!("migrations/0007_minutes"),
    sql!("migrations/0008_quality"),
    sql!("migrations/0009_service"),
    sql!("migrations/0010_app"),
    sql!("migrations/0011_windows_by"),
    sql!("migrations/0012_sequences"),
    sql!("migrations/0013_epochs"),
    sql!("migrations/0014_regressions"),
    sql!("migrations/0015_refused"),
];

/// How long tables keep their rows.
pub(super) const TTL: (&str, &str) = sql!("ttl");

/// What has one form only.
const AGAIN: &[(&str, &str)] = &[
    TTL,
    sql!("views/checkouts"),
    sql!("views/conversations"),
    sql!("views/feedback"),
    sql!("views/data_quality"),
    sql!("views/refused_events"),
    sql!("views/sequence_gaps"),
    sql!("views/regressions"),
    sql!("views/touchpoints"),
];

/// The file that makes the profile and role of readers, where that is asked for.
const ACCESS: (&str, &str) = sql!("access");

/// Satisfaction and effort.
const CSAT: Words = Words {
    score: "csat",
    score_name: "customer satisfaction",
    satisfied: "Answers in the upper quarter of the scale: 4 and 5 on 1-5",
};
const CES: Words = Words {
    score: "ces",
    score_name: "customer effort, how easy it was,",
    satisfied: "Answers in the upper third of the scale, who found it easy: 5 to 7 on 1-7",
};

/// An object that exists in every form.
struct Object {
    name: &'static str,
    windows: &'static str,
    periods: &'static str,
    words: Option<&'static Words>,
}

macro_rules! sql_of {
    ($($part:literal),*) => { include_str!(concat!("../../../deploy/clickhouse/", $($part),*)) };
}

macro_rules! object {
    ($name:literal) => {
        object!($name, $name, None)
    };
    ($name:literal, $file:literal, $words:expr) => {
        Object {
            name: $name,
            windows: sql_of!("views/", $file, ".sql"),
            periods: sql_of!("views/", $file, "_1m.sql"),
            words: $words,
        }
    };
}

const OBJECTS: &[Object] = &[
    object!("nps"),
    object!("csat", "satisfaction", Some(&CSAT)),
    object!("ces", "satisfaction", Some(&CES)),
    object!("response_rates"),
    object!("checkout_funnel"),
    object!("checkout_abandonment"),
    object!("checkout_duration"),
    object!("response_times"),
    object!("service_quality"),
    object!("app_response"),
];

/// Every file in the order in which it is applied.
pub(super) fn files(with_access: bool) -> Vec<SqlFile> {
    let plain = |name: &str, template, once| SqlFile {
        name: name.trim_start_matches("migrations/").to_owned(),
        template,
        once,
        form: Form::Plain,
        words: None,
    };
    let mut files: Vec<SqlFile> =
        MIGRATIONS.iter().map(|(name, template)| plain(name, template, true)).collect();
    files.extend(AGAIN.iter().map(|(name, template)| plain(name, template, false)));
    for object in OBJECTS {
        for form in [Form::Plain, Form::By, Form::Minutes, Form::Hours, Form::Days] {
            files.push(SqlFile {
                name: format!("views/{}{}", object.name, form.suffix()),
                template: if matches!(form, Form::Plain | Form::By) {
                    object.windows
                } else {
                    object.periods
                },
                once: false,
                form,
                words: object.words,
            });
        }
    }
    if with_access {
        files.push(plain(ACCESS.0, ACCESS.1, false));
    }
    files
}

impl Form {
    /// What the object's name ends in.
    pub(super) const fn suffix(self) -> &'static str {
        match self {
            Form::Plain => "",
            Form::By => "_by",
            Form::Minutes => "_1m",
            Form::Hours => "_hourly",
            Form::Days => "_daily",
        }
    }
}
