//! Rules and messages: valid by Prometheus' and Alertmanager's own tools, each alert tried on an ill minute and explained by a page, each message sent to
//! the people it is for.

use std::collections::BTreeSet;
use std::process::Command;

use crate::install::run;
use crate::repository::{dashboards, files, list, path, string, text};

const FOLDER: &str = "deploy/prometheus";
/// What a runbook has to tell.
const PARTS: &[&str] =
    &["## What it means", "## First look", "## Usual causes", "## What to do", "## When to wake somebody"];

fn tool(name: &str, arguments: &[&str]) -> String {
    run(Command::new(name).args(arguments).current_dir(path(FOLDER)))
}

/// Names of all alerts.
fn alerts() -> BTreeSet<String> {
    let rules: String = files(&format!("{FOLDER}/rules"), ".yml")
        .iter()
        .map(|name| text(&format!("{FOLDER}/rules/{name}")))
        .collect();
    rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ").map(str::to_owned)).collect()
}

#[test]
fn promtool_and_amtool_find_nothing_wrong() {
    tool("promtool", &["check", "config", "prometheus.yml"]);
    tool("amtool", &["check-config", "alertmanager.yml"]);
    let tests = files(&format!("{FOLDER}/tests"), ".yml");
    assert_eq!(tests.len(), 2);
    for test in tests {
        let said = tool("promtool", &["test", "rules", &format!("tests/{test}")]);
        assert!(said.contains("SUCCESS"), "{said}");
    }
}

#[test]
fn every_alert_is_tried_and_explained() {
    let alerts = alerts();
    assert!(alerts.len() >= 30, "{alerts:?}");
    let tests: String = files(&format!("{FOLDER}/tests"), ".yml")
        .iter()
        .map(|name| text(&format!("{FOLDER}/tests/{name}")))
        .collect();
    let pages: BTreeSet<String> =
        files("docs/runbooks", ".md").iter().map(|name| name.trim_end_matches(".md").to_owned()).collect();
    assert_eq!(pages, alerts, "one page an alert, and no other");
    for alert in &alerts {
        // The alerts of regressions are one rule in different words.
        assert!(alert.starts_with("Cx") || tests.contains(alert), "{alert} is never tried");
        let page = text(&format!("docs/runbooks/{alert}.md"));
        assert!(page.starts_with(&format!("# {alert}\n")), "{alert}");
        for part in PARTS {
            let told = page.split_once(part).unwrap_or_else(|| panic!("{alert} does not tell {part}")).1;
            assert!(
                told.trim_start().len() > 5 && !told.trim_start().starts_with('#'),
                "{alert} has nothing under {part}"
            );
        }
        // Links between pages lead to pages.
        for target in page
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split([')', '#']).next())
            .filter(|target| !target.contains("://"))
        {
            assert!(path("docs/runbooks").join(target).exists(), "{alert} links to {target}");
        }
    }
}

#[test]
fn dashboards_ask_prometheus_what_it_understands() {
    let mut rules = String::from("groups:\n  - name: dashboards\n    rules:\n");
    let mut count = 0;
    for (_, board) in dashboards() {
        for target in list(&board, "panels")
            .iter()
            .flat_map(|panel| list(panel, "targets"))
            .filter(|target| target["expr"].is_string())
        {
            let expression =
                string(target, "expr").replace("$__rate_interval", "1m").replace("$tenant", "shop");
            assert!(!expression.contains('$'), "an unknown variable: {expression}");
            rules += &format!(
                "      - record: check:{count}\n        expr: {}\n",
                serde_json::Value::from(expression)
            );
            count += 1;
        }
    }
    assert!(count > 15, "{count}");
    let file = tempfile::Builder::new().suffix(".yml").tempfile().expect("a file can be made");
    std::fs::write(file.path(), rules).expect("it can be written");
    tool("promtool", &["check", "rules", &file.path().display().to_string()]);
}

#[test]
fn each_alert_goes_to_the_people_it_is_for() {
    for (labels, receiver) in [
        (["kind=cx", "owner=team-checkout", "severity=page"], "team-checkout-page"),
        (["kind=cx", "owner=team-checkout", "severity=ticket"], "team-checkout-ticket"),
        (["kind=cx", "owner=team-support", "severity=page"], "team-support-page"),
        (["kind=cx", "owner=somebody new", "severity=page"], "cx-page"),
        (["kind=cx", "owner=somebody new", "severity=ticket"], "cx-ticket"),
        (["kind=pipeline", "owner=platform", "severity=page"], "platform-page"),
        (["kind=pipeline", "owner=platform", "severity=ticket"], "platform-ticket"),
        (["kind=other", "owner=", "severity=unknown"], "platform-ticket"),
    ] {
        let mut arguments = vec!["config", "routes", "test", "--config.file=alertmanager.yml"];
        arguments.extend(labels);
        assert_eq!(tool("amtool", &arguments).trim(), receiver, "{labels:?}");
    }
    // The example of the touchpoints file and the routes name the same owners.
    let routes = text("deploy/prometheus/alertmanager.yml");
    for owner in
        text("deploy/config/touchpoints.toml").lines().filter_map(|line| line.strip_prefix("owner = "))
    {
        assert!(routes.contains(&format!("owner={owner}")), "{owner} has no route");
    }
}

#[test]
fn a_message_says_what_fell_from_what_to_what_since_when_and_where_to_look() {
    let alert = |status: &str, summary: &str| {
        serde_json::json!({
            "status": status, "labels": { "severity": "page" }, "startsAt": "2026-11-22T10:00:00Z", "endsAt": "2026-11-22T10:30:00Z",
            "annotations": {
                "summary": summary, "description": "From 6% to 42%, on 300 checkouts. Owner: team-checkout.",
                "dashboard_url": "http://grafana/d/touchstream-checkout", "runbook_url": "http://runbooks/CxDropOffRose.md"
            }
        })
    };
    let data = serde_json::json!({
        "receiver": "page", "status": "firing", "groupLabels": {}, "commonLabels": { "severity": "page" }, "commonAnnotations": {}, "externalURL": "http://alertmanager",
        "alerts": [alert("firing", "Checkout drop-off rose: checkout, tenant shop"), alert("resolved", "NPS fell: delivery, tenant shop")]
    });
    let file = tempfile::NamedTempFile::new().expect("a file can be made");
    std::fs::write(file.path(), data.to_string()).expect("it can be written");
    let file = format!("--template.data={}", file.path().display());
    let render = |name: &str| {
        let template = format!("--template.text={{{{ template \"{name}\" . }}}}");
        tool("amtool", &["template", "render", "--template.glob=templates/*.tmpl", &template, &file])
    };
    assert_eq!(
        render("touchstream.subject").trim(),
        "[PAGE] Checkout drop-off rose: checkout, tenant shop (2 alerts)"
    );
    assert_eq!(
        render("touchstream.text").trim(),
        "Checkout drop-off rose: checkout, tenant shop\n  From 6% to 42%, on 300 checkouts. Owner: team-checkout.\n  Since 2026-11-22 10:00 UTC\n  \
         Look: http://grafana/d/touchstream-checkout\n  Do: http://runbooks/CxDropOffRose.md\n\n\
         OVER: NPS fell: delivery, tenant shop\n  From 6% to 42%, on 300 checkouts. Owner: team-checkout.\n  Since 2026-11-22 10:00 UTC until 2026-11-22 10:30 UTC\n  \
         Look: http://grafana/d/touchstream-checkout\n  Do: http://runbooks/CxDropOffRose.md"
    );
}
