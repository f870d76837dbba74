//! Every command in README.md works as it stands there; only the ports are the test's own.

use std::process::Command;
use std::time::Duration;

use super::up::{FIRST_READY_WITHIN, Up};
use crate::harness::machine::turn;
use crate::harness::wait::until;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The blocks marked `sh`.
fn commands(markdown: &str) -> Vec<String> {
    let mut commands = Vec::new();
    let mut block: Option<String> = None;
    for line in markdown.lines() {
        match (&mut block, line) {
            (None, "```sh") => block = Some(String::new()),
            (Some(_), "```") => commands.extend(block.take()),
            (Some(text), line) => {
                text.push_str(line);
                text.push('\n');
            }
            (None, _) => {}
        }
    }
    commands
}

fn run(command: &str) -> Result<String, String> {
    let output = Command::new("sh").args(["-c", command]).current_dir(ROOT).output().expect("sh runs");
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        Ok(said(&output.stdout))
    } else {
        Err(format!("{command}: {}\n{}{}", output.status, said(&output.stdout), said(&output.stderr)))
    }
}

#[test]
fn every_command_of_the_readme_works() {
    let readme = std::fs::read_to_string(format!("{ROOT}/README.md")).expect("there is a README");
    let commands = commands(&readme);
    assert!(commands.len() >= 4, "the README has its commands: {commands:?}");
    let _turn = turn();
    let directory = tempfile::tempdir().expect("a directory can be made");
    let mut up = Up::new(directory.path());
    up.start(FIRST_READY_WITHIN);
    for command in commands {
        if let Some(target) = command.trim().strip_prefix("make ") {
            // `up` is what this test runs on, `test` is what runs it: here it is enough that the targets are there.
            run(&format!("make --dry-run {target}")).unwrap_or_else(|problem| panic!("{problem}"));
            continue;
        }
        let own = up.with_own_ports(&command);
        assert_ne!(own, command, "it goes to a port of `up`");
        let is_score = command.contains("cx.nps\n");
        until("the command answers", Duration::from_secs(10), || {
            let answer = run(&own)?;
            if is_score && !answer.contains("100") { Err(answer) } else { Ok(()) }
        });
    }
    up.interrupt();
}
