//! What readers ask: every panel within 300 ms on thirty simulated days (`make bench-queries`), and every answer of `docs/cookbook.md` as it stands there.

#[path = "queries/cookbook.rs"]
mod cookbook;
#[expect(dead_code, reason = "these tests need no sink")]
mod harness;
#[path = "queries/speed.rs"]
mod speed;

#[test]
#[ignore = "started by the other tests as a process of its own"]
fn role() {
    harness::play_role();
}

/// The statements of a file: parted at a semicolon that ends a line, comment lines left out.
fn statements(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(";\n")
        .map(|statement| {
            let lines: Vec<&str> = statement.lines().filter(|line| !line.starts_with("--")).collect();
            lines.join("\n").trim().to_owned()
        })
        .filter(|statement| !statement.is_empty())
}
