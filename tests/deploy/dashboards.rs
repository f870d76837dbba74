//! Dashboards: generated as they stand, every question answered, and every SQL in them run on the simulated month as the data source sends it. What
//! comes back must have the shape that the panel needs.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::install::{once, run};
use crate::macros::{Range, Variables, expand};
use crate::repository::{dashboards, list, path, string, text};
use crate::server::TestServer;

/// The last week of the month.
const RANGE: Range = Range { from: 1_792_886_400, to: 1_793_491_200, interval: 3_600 };
/// The slowest answer that somebody before a dashboard has to wait for.
const SLOWEST: Duration = Duration::from_secs(2);
const QUESTIONS: usize = 33;
const NOTHING: &str = "finds nothing";
const GO: &[(&str, &str)] = &[
    ("go.mod", include_str!("go/go.mod")),
    ("go.sum", include_str!("go/go.sum")),
    ("main.go", include_str!("go/main.go")),
];

/// One query of a dashboard.
struct Query<'j> {
    /// Dashboard and panel, variable or annotation.
    place: String,
    sql: &'j str,
    needs: Needs<'j>,
}

/// What the answer must look like.
enum Needs<'j> {
    /// Values of a variable.
    Variable,
    /// Marks in time.
    Annotation,
    Panel(&'j Value),
}

/// Columns (name, type) and rows.
struct Answer {
    columns: Vec<(String, String)>,
    rows: Vec<Vec<Value>>,
}

#[test]
fn dashboards_are_what_their_sources_make() {
    run(Command::new("node").arg(path("deploy/grafana/generate.mjs")).arg("--check"));
}

#[test]
fn every_question_is_answered_by_the_panels_that_the_page_names() {
    let answers = run(Command::new("node").arg(path("deploy/grafana/generate.mjs")).arg("--answers"));
    let answers: Value = serde_json::from_str(&answers).expect("the generator prints JSON");
    let mut panels: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    for answer in answers.as_array().expect("a list") {
        let number = answer["number"].as_u64().expect("a number");
        panels.entry(number).or_default().push(format!(
            "{}: {}",
            string(answer, "dashboard"),
            string(answer, "panel")
        ));
    }
    let page = text("docs/dashboards.md");
    let mut seen = 0;
    let mut wrong = Vec::new();
    for line in page.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let Ok(number) = cells[1].parse::<u64>() else { continue };
        seen += 1;
        let named = panels.get(&number).map(|panels| panels.join("; ")).unwrap_or_default();
        if cells[3] != named {
            wrong.push(format!("| {number} | {} | {named} | {} |", cells[2], cells[4]));
        }
    }
    assert_eq!(seen, QUESTIONS, "docs/dashboards.md lists every question");
    assert_eq!(panels.len(), QUESTIONS, "every question has a panel");
    assert!(wrong.is_empty(), "docs/dashboards.md should say:\n{}", wrong.join("\n"));
}

#[test]
fn every_query_finds_what_its_panel_needs() {
    let directory = tempfile::tempdir().expect("a directory");
    let server = crate::month::start(directory.path());
    let boards = dashboards();
    let queries: Vec<Query<'_>> = boards.iter().flat_map(|(name, board)| queries_of(name, board)).collect();
    assert!(queries.len() > 90, "{} queries", queries.len());

    let chosen = variables("shop");
    // Once a migration makes it, rows of it belong into `month_more.sql`; until they are there it may be empty.
    let is_real =
        server.read("SELECT engine FROM system.tables WHERE database = 'cx' AND name = 'regressions'").trim()
            == "View";
    let may_be_empty = |sql: &str| is_real && sql.contains("FROM regressions");
    let mut wrong = Vec::new();
    let mut asked = Vec::new();
    let mut known: BTreeMap<String, usize> = BTreeMap::new();
    for query in &queries {
        let sql = expand(query.sql, &chosen, RANGE);
        // Every dashboard has the same variables and annotations.
        if matches!(query.needs, Needs::Panel(_)) || !known.contains_key(&sql) {
            let begun = Instant::now();
            match ask(&server, &sql) {
                Ok(answer) => {
                    let took = begun.elapsed();
                    if took > SLOWEST {
                        wrong.push(format!("{}: took {took:?}", query.place));
                    }
                    let forgiven = answer.rows.is_empty() && may_be_empty(&sql);
                    wrong.extend(
                        faults(&query.needs, &answer)
                            .into_iter()
                            .filter(|fault| !(forgiven && fault == NOTHING))
                            .map(|fault| format!("{}: {fault}", query.place)),
                    );
                    known.insert(sql.clone(), answer.rows.len());
                    asked.push((query.place.clone(), sql, answer));
                }
                Err(error) => wrong.push(format!("{}: {error}", query.place)),
            }
        }
    }
    assert!(wrong.is_empty(), "{} faults:\n{}", wrong.len(), wrong.join("\n"));

    // A tenant whose name tries to break out of its quotes is a tenant without data, and nothing else.
    let hostile = variables("it's \\' OR 1 = 1 --");
    for query in queries.iter().filter(|query| matches!(query.needs, Needs::Panel(_))) {
        let answer = ask(&server, &expand(query.sql, &hostile, RANGE))
            .unwrap_or_else(|error| panic!("{}: {error}", query.place));
        let numbers = answer
            .rows
            .iter()
            .flatten()
            .filter_map(|value| value.as_f64().or_else(|| value.as_str()?.parse().ok()));
        assert!(numbers.into_iter().all(|number| number == 0.0), "{} shows a stranger's data", query.place);
    }
    through_clickhouse_go(&server, &asked);
}

#[test]
fn links_and_variables_lead_somewhere() {
    let boards = dashboards();
    let uids: HashSet<&str> = boards.iter().map(|(_, board)| string(board, "uid")).collect();
    assert_eq!(uids.len(), boards.len());
    let provisioned = text("deploy/grafana/provisioning/datasources/touchstream.yaml");
    for (name, board) in &boards {
        let variables: BTreeSet<&str> =
            list(&board["templating"], "list").iter().map(|variable| string(variable, "name")).collect();
        for needed in ["tenant", "touchpoint", "channel", "device", "window", "score_window"] {
            assert!(variables.contains(needed), "{name} has no variable {needed}");
        }
        let whole = board.to_string();
        for (_, after) in whole.match_indices("/d/").map(|(at, found)| (at, &whole[at + found.len()..])) {
            let uid = &after[..after.find('?').expect("links carry the time range")];
            assert!(uids.contains(uid), "{name} links to {uid}");
            let url = &after[..after.find('"').expect("a text ends")];
            for carried in
                ["${__url_time_range}", "var-tenant=", "var-touchpoint=", "var-channel=", "var-device="]
            {
                assert!(url.contains(carried), "{name}: {url} does not carry {carried}");
            }
        }
        let links = list(board, "links");
        assert!(
            links.iter().any(|link| link["includeVars"] == true && link["keepTime"] == true),
            "{name} has no way to the others"
        );
        let mut ids = HashSet::new();
        for panel in list(board, "panels") {
            assert!(ids.insert(panel["id"].as_u64()), "{name} has an id twice");
            if string(panel, "type") != "row" {
                let uid = string(&panel["datasource"], "uid");
                assert!(
                    provisioned.contains(&format!("uid: {uid}\n")),
                    "{name}: no data source {uid} is provisioned"
                );
                assert!(
                    !string(panel, "description").is_empty(),
                    "{name}: {} explains nothing",
                    panel["title"]
                );
            }
        }
    }
}

fn queries_of<'j>(name: &str, board: &'j Value) -> Vec<Query<'j>> {
    let mut found = Vec::new();
    for variable in list(&board["templating"], "list").iter().filter(|variable| variable["type"] == "query") {
        let place = format!("{name}, variable {}", string(variable, "name"));
        found.push(Query { place, sql: string(&variable["query"], "rawSql"), needs: Needs::Variable });
    }
    for annotation in list(&board["annotations"], "list") {
        let place = format!("{name}, annotation {}", string(annotation, "name"));
        found.push(Query { place, sql: string(&annotation["target"], "rawSql"), needs: Needs::Annotation });
    }
    for panel in list(board, "panels") {
        for target in list(panel, "targets").iter().filter(|target| target["rawSql"].is_string()) {
            let place = format!("{name}, {}", string(panel, "title"));
            found.push(Query { place, sql: string(target, "rawSql"), needs: Needs::Panel(panel) });
        }
    }
    found
}

fn variables(tenant: &str) -> Variables {
    let fixed = [
        ("touchpoint", "all"),
        ("channel", "all"),
        ("device", "all"),
        ("window", "24h"),
        ("score_window", "7d"),
        ("benchmark", "30"),
    ];
    let mut variables: Variables = fixed.into_iter().map(|(name, value)| (name, value.to_owned())).collect();
    variables.insert("tenant", tenant.to_owned());
    variables
}

/// Asks as the data source does: by HTTP, as `reader`, in the database `cx`.
fn ask(server: &TestServer, sql: &str) -> Result<Answer, String> {
    let answer = crate::curl::Request::new(server)
        .parameter("user", "reader")
        .parameter("password", "reader")
        .parameter("database", "cx")
        .parameter("default_format", "JSONCompact")
        .body(sql)
        .send();
    if answer.status != 200 {
        return Err(format!("{}\n{sql}", answer.text));
    }
    let json: Value = serde_json::from_slice(answer.text.as_bytes()).map_err(|error| error.to_string())?;
    let columns = list(&json, "meta");
    Ok(Answer {
        columns: columns
            .iter()
            .map(|column| (string(column, "name").to_owned(), string(column, "type").to_owned()))
            .collect(),
        rows: list(&json, "data").iter().map(|row| row.as_array().expect("a row").clone()).collect(),
    })
}

/// What is wrong with an answer, for the panel that asked.
fn faults(needs: &Needs<'_>, answer: &Answer) -> Vec<String> {
    let mut faults = Vec::new();
    if answer.rows.is_empty() {
        faults.push(NOTHING.to_owned());
    }
    let names: Vec<&str> = answer.columns.iter().map(|(name, _)| name.as_str()).collect();
    match needs {
        Needs::Variable => {
            if names.len() != 1 {
                faults.push(format!("a variable has one column, not {names:?}"));
            }
        }
        Needs::Annotation => {
            if names != ["time", "text", "tags"] || !is_time(&answer.columns[0].1) {
                faults.push(format!("an annotation has time, text and tags, not {names:?}"));
            }
        }
        Needs::Panel(panel) => {
            faults.extend(match string(panel, "type") {
                "timeseries" => faults_of_lines(panel, answer),
                "stat"
                    if answer.rows.len() != 1 || !answer.columns.iter().all(|(_, kind)| is_number(kind)) =>
                {
                    vec![format!(
                        "big numbers need one row of numbers, not {} of {:?}",
                        answer.rows.len(),
                        answer.columns
                    )]
                }
                "barchart"
                    if is_number(&answer.columns[0].1)
                        || !answer.columns[1..].iter().all(|(_, kind)| is_number(kind)) =>
                {
                    vec![format!("bars need a name and numbers, not {:?}", answer.columns)]
                }
                "stat" | "barchart" | "table" => Vec::new(),
                other => vec![format!("no panel is known as {other}")],
            });
            faults.extend(faults_of_fields(panel, &names));
        }
    }
    faults
}

/// Lines need a rising time, numbers, and, where there is a text, one that names the line.
fn faults_of_lines(panel: &Value, answer: &Answer) -> Vec<String> {
    let mut faults = Vec::new();
    let [(first, kind), rest @ ..] = answer.columns.as_slice() else {
        return vec!["has no columns".to_owned()];
    };
    if first != "time" || !is_time(kind) {
        faults.push(format!("lines begin with a time, not {first} {kind}"));
    }
    let label = panel["fieldConfig"]["defaults"]["displayName"]
        .as_str()
        .map(|name| name.replace("${__field.labels.", "").replace('}', ""));
    let (numbers, others): (Vec<_>, Vec<_>) = rest.iter().partition(|(_, kind)| is_number(kind));
    if numbers.is_empty() {
        faults.push("has no numbers".to_owned());
    }
    if others.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>()
        != label.iter().map(String::as_str).collect::<Vec<_>>()
    {
        faults.push(format!("lines are named by {label:?}, the answer has {others:?}"));
    }
    let times: Vec<&str> = answer.rows.iter().map(|row| row[0].as_str().unwrap_or_default()).collect();
    if !times.is_sorted() {
        faults.push("time goes back".to_owned());
    }
    let keys: HashSet<String> = answer
        .rows
        .iter()
        .map(|row| if label.is_some() { format!("{} {}", row[0], row[1]) } else { row[0].to_string() })
        .collect();
    if keys.len() != answer.rows.len() {
        faults.push("a line has two values at a time".to_owned());
    }
    faults
}

/// What a panel says of a field must be said of a column, and a score never goes without its interval and n.
fn faults_of_fields(panel: &Value, names: &[&str]) -> Vec<String> {
    let mut faults = Vec::new();
    for change in list(&panel["fieldConfig"], "overrides") {
        let field = string(&change["matcher"], "options");
        if !names.contains(&field) {
            faults.push(format!("sets the look of {field}, which is no column of {names:?}"));
        }
    }
    let whole = panel.to_string();
    for (at, found) in whole.match_indices("${__data.fields.") {
        let name = &whole[at + found.len()..];
        let name = &name[..name.find('}').expect("it ends")];
        if !names.contains(&name) {
            faults.push(format!("links by {name}, which is no column of {names:?}"));
        }
    }
    if names.contains(&"nps") && !["ci_low", "ci_high", "n"].iter().all(|needed| names.contains(needed)) {
        faults.push(format!("shows an NPS without interval or n: {names:?}"));
    }
    let is_small = |name: &&str| name.ends_with("_ratio") || name.ends_with("_share") || name.ends_with("_s");
    if string(panel, "type") != "timeseries" {
        let has_unit: HashSet<&str> = list(&panel["fieldConfig"], "overrides")
            .iter()
            .map(|change| string(&change["matcher"], "options"))
            .collect();
        faults.extend(
            names
                .iter()
                .filter(|name| is_small(name) && !has_unit.contains(*name))
                .map(|name| format!("{name} has no unit")),
        );
    } else if panel["fieldConfig"]["defaults"]["unit"].is_null() {
        faults.push("has no unit".to_owned());
    }
    faults
}

fn is_time(kind: &str) -> bool {
    kind.starts_with("DateTime")
}

fn is_number(kind: &str) -> bool {
    let bare = kind.trim_start_matches("Nullable(");
    ["Int", "UInt", "Float", "Decimal"].iter().any(|number| bare.starts_with(number))
}

/// The same questions by `clickhouse-go` over HTTP, the driver inside the data source, with its settings: it must read every type. Needs Go, which
/// is no tool of this repository otherwise: without it this is left out, and says so.
fn through_clickhouse_go(server: &TestServer, asked: &[(String, String, Answer)]) {
    if Command::new("go").arg("version").output().is_err() {
        eprintln!("Go is not installed: clickhouse-go was not tried");
        return;
    }
    let built = once("go-panels", GO, |directory| {
        run(Command::new("go").args(["build", "-mod=readonly", "-o", "ask", "."]).current_dir(directory));
    });
    let lines: Vec<String> = asked.iter().map(|(_, sql, _)| Value::from(sql.as_str()).to_string()).collect();
    let questions = tempfile::NamedTempFile::new().expect("a file can be made");
    std::fs::write(questions.path(), lines.join("\n")).expect("it can be written");
    let input = std::fs::File::open(questions.path()).expect("it can be read");
    let mut command = Command::new(built.join("ask"));
    let found = run(command.arg(server.address.to_string()).stdin(Stdio::from(input)));
    let found: Vec<Value> =
        found.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect();
    assert_eq!(found.len(), asked.len());
    for ((place, _, answer), found) in asked.iter().zip(&found) {
        assert!(found["error"].is_null(), "{place}: {}", found["error"]);
        assert_eq!(found["rows"].as_u64(), u64::try_from(answer.rows.len()).ok(), "{place}");
        let names: Vec<&str> = list(found, "columns").iter().filter_map(Value::as_str).collect();
        assert_eq!(
            names,
            answer.columns.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
            "{place}"
        );
    }
}
