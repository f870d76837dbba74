//! Dashboards against the types that Grafana publishes (`@grafana/schema`): each is written out as a literal that must satisfy them, so a field that is
//! misspelled, missing or of another kind is an error of the type checker. The checker must also find a fault that is put in.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::install::{once, run};
use crate::repository::{dashboards, list, output, string};

const MANIFESTS: &[(&str, &str)] = &[
    ("package.json", include_str!("schema/package.json")),
    ("package-lock.json", include_str!("schema/package-lock.json")),
    (".npmrc", include_str!("schema/.npmrc")),
];

/// Panels: their type, the module of `@grafana/schema` that describes them, and whether it has options of fields.
const PANELS: &[(&str, &str, &str, bool)] = &[
    ("timeseries", "timeseries", "TimeSeriesPanelCfg", true),
    ("stat", "stat", "StatPanelCfg", false),
    ("table", "table", "TablePanelCfg", true),
    ("barchart", "barchart", "BarChartPanelCfg", true),
];

#[test]
fn dashboards_are_of_the_types_that_grafana_publishes() {
    let installed = once("dashboard-types", MANIFESTS, |directory| {
        run(Command::new("npm").args(["ci", "--ignore-scripts", "--silent"]).current_dir(directory));
    });
    let boards: Vec<Value> = dashboards().into_iter().map(|(_, board)| board).collect();
    let (right, text) = check(&installed, &boards);
    assert!(right, "{text}");

    let mut misspelled = boards[0].clone();
    misspelled["panels"][1]["options"]["colourMode"] = "value".into();
    let (right, text) = check(&installed, &[misspelled]);
    assert!(!right && text.contains("colourMode"), "a misspelled option passes: {text}");
    let mut no_text = boards[0].clone();
    no_text["title"] = 7.into();
    let (right, text) = check(&installed, &[no_text]);
    assert!(
        !right && text.contains("'number' is not assignable to type 'string'"),
        "a title that is a number passes: {text}"
    );
}

/// Whether the type checker is content, and what it says.
fn check(installed: &Path, boards: &[Value]) -> (bool, String) {
    let mut script = String::from("import type { Dashboard, Panel, VariableModel } from '@grafana/schema'\n");
    for (kind, folder, module, has_fields) in PANELS {
        let from = format!("@grafana/schema/dist/esm/raw/composable/{folder}/panelcfg/x/{module}_types.gen");
        writeln!(script, "import type {{ Options as {kind}Options }} from '{from}'")
            .expect("a string can be written");
        if *has_fields {
            writeln!(script, "import type {{ FieldConfig as {kind}FieldConfig }} from '{from}'")
                .expect("a string can be written");
        }
    }
    // Many fields are enumerations in TypeScript; their values are plain texts and numbers in JSON.
    script += "type Plain<T> = T extends string ? `${T}` : T extends number ? (`${T}` extends `${infer N extends number}` ? N : T) : T extends (infer E)[] ? Plain<E>[] : \
               T extends object ? { [K in keyof T]: Plain<T[K]> } : T\n";
    for board in boards {
        let mut outer = board.clone();
        let panels = outer["panels"].take();
        let variables = outer["templating"]["list"].take();
        // What a data source is asked is its own affair, which these types leave open only in panels.
        for annotation in outer["annotations"]["list"].as_array_mut().expect("annotations") {
            annotation["target"] = serde_json::json!({ "refId": string(&annotation["target"], "refId") });
        }
        outer.as_object_mut().expect("an object").remove("panels");
        outer.as_object_mut().expect("an object").remove("templating");
        writeln!(script, ";({outer}) satisfies Plain<Partial<Dashboard>>").expect("a string can be written");
        for variable in variables.as_array().expect("variables") {
            writeln!(script, ";({variable}) satisfies Plain<VariableModel>")
                .expect("a string can be written");
        }
        for panel in panels.as_array().expect("panels").iter().filter(|panel| panel["type"] != "row") {
            let kind = string(panel, "type");
            assert!(
                PANELS.iter().any(|(known, ..)| *known == kind),
                "no type of @grafana/schema is named for {kind}"
            );
            writeln!(script, ";({panel}) satisfies Plain<Panel>").expect("a string can be written");
            writeln!(script, ";({}) satisfies Plain<Partial<{kind}Options>>", panel["options"])
                .expect("a string can be written");
            let custom = &panel["fieldConfig"]["defaults"]["custom"];
            if custom.is_object() {
                writeln!(script, ";({custom}) satisfies Plain<Partial<{kind}FieldConfig>>")
                    .expect("a string can be written");
            }
            assert!(!list(panel, "targets").is_empty(), "{} asks nothing", panel["title"]);
        }
    }
    let file = tempfile::Builder::new()
        .prefix("check")
        .suffix(".ts")
        .tempfile_in(installed)
        .expect("a file can be made");
    std::fs::write(file.path(), script).expect("it can be written");
    let mut command = Command::new(installed.join("node_modules/.bin/tsc"));
    command.args([
        "--noEmit",
        "--strict",
        "--skipLibCheck",
        "--module",
        "esnext",
        "--moduleResolution",
        "bundler",
        "--target",
        "es2022",
    ]);
    let done = output(command.arg(file.path()).current_dir(installed));
    (done.status.success(), String::from_utf8_lossy(&done.stdout).into_owned())
}
