//! Waiting for a condition with a deadline; nothing is ever waited for by sleeping alone.

use std::time::{Duration, Instant};

const POLL: Duration = Duration::from_millis(20);

/// Asks until there is a value; panics with the last problem when the time is over. Tells how long it took.
pub(crate) fn until<T>(
    what: &str,
    deadline: Duration,
    mut attempt: impl FnMut() -> Result<T, String>,
) -> (T, Duration) {
    let begun = Instant::now();
    loop {
        let problem = match attempt() {
            Ok(value) => return (value, begun.elapsed()),
            Err(problem) => problem,
        };
        assert!(begun.elapsed() < deadline, "{what}: not within {deadline:?}: {problem}");
        std::thread::sleep(POLL);
    }
}

/// `Ok` when both are equal, else the difference in words.
pub(crate) fn equal<T: PartialEq + std::fmt::Debug>(found: &T, expected: &T) -> Result<(), String> {
    if found == expected { Ok(()) } else { Err(format!("is {found:?}, should be {expected:?}")) }
}
