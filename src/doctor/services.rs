//! What the services say of themselves on their admin ports, as far as they can be reached from here.

use std::time::Duration;

use touchstream_runtime::settings::Settings;

use super::report::{Finding, Status};

const PATIENCE: Duration = Duration::from_secs(3);

/// Whether each service is ready, and why not.
pub(super) fn readiness(settings: &Settings) -> Vec<Finding> {
    let Settings { ingest, processor, sink, console, .. } = settings;
    [
        ("ingest", &ingest.admin),
        ("processor", &processor.admin),
        ("sink", &sink.admin),
        ("console", &console.admin),
    ]
    .into_iter()
    .map(|(name, admin)| readiness_of(check_of(name), name, admin))
    .collect()
}

fn check_of(name: &str) -> &'static str {
    match name {
        "ingest" => "service.ingest",
        "processor" => "service.processor",
        "console" => "service.console",
        _ => "service.sink",
    }
}

fn readiness_of(check: &'static str, name: &str, admin: &str) -> Finding {
    match get(&format!("http://{admin}/readyz")) {
        Ok((200, _)) => Finding::ok(check, format!("ready, says its admin port at {admin}")),
        Ok((_, body)) => {
            let reasons: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&body).unwrap_or_default();
            let told: Vec<String> =
                reasons.iter().map(|(part, why)| format!("{part}: {}", why.as_str().unwrap_or_default())).collect();
            Finding::new(check, Status::Problem, format!("not ready; {}", told.join("; ")))
                .advise(format!("the reason stands in the log of that {name}, too"))
                .with("reasons", reasons)
        }
        Err(error) => Finding::new(
            check,
            Status::Unknown,
            format!("nothing answers at {name}.admin = {admin} ({error})"),
        )
        .advise(format!(
            "if `touchstream {name}` should run on this machine, start it; for one on another machine run the doctor there"
        )),
    }
}

/// The spool of the ingest that can be reached, looked at twice.
pub(super) fn spool(settings: &Settings, before: Option<f64>) -> Finding {
    const CHECK: &str = "spool";
    let admin = &settings.ingest.admin;
    match (before, spool_bytes(settings)) {
        (_, None) => {
            Finding::new(CHECK, Status::Unknown, format!("no ingest with a spool answers at ingest.admin = {admin}"))
        }
        (_, Some(0.0)) => Finding::ok(CHECK, "empty").with("bytes", 0),
        (Some(before), Some(bytes)) if bytes < before => {
            Finding::new(CHECK, Status::Warning, format!("{bytes} bytes, being sent on to Kafka"))
                .with("bytes", bytes)
                .advise("wait: it empties")
        }
        (_, Some(bytes)) => {
            Finding::new(CHECK, Status::Problem, format!("{bytes} bytes wait in it, and none was sent on to Kafka while we looked"))
                .with("bytes", bytes)
                .advise(
                    "see the checks of Kafka above and the log of ingest; a record that Kafka refuses for itself holds back those behind \
                     it. Nothing is lost as long as ingest.spool_dir stays",
                )
        }
    }
}

/// Bytes that wait in the spool; `None` when ingest does not answer or has none.
pub(super) fn spool_bytes(settings: &Settings) -> Option<f64> {
    let (_, text) = get(&format!("http://{}/metrics", settings.ingest.admin)).ok()?;
    text.lines().find_map(|line| line.strip_prefix("touchstream_ingest_spool_bytes ")?.trim().parse().ok())
}

fn get(url: &str) -> Result<(u16, String), String> {
    let request = ureq::get(url).config().http_status_as_error(false).timeout_global(Some(PATIENCE)).build();
    let mut answer = request.call().map_err(|error| error.to_string())?;
    let body = answer.body_mut().read_to_string().map_err(|error| error.to_string())?;
    Ok((answer.status().as_u16(), body))
}
