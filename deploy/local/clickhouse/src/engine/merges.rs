//! Merges give way: their threads run only while no insert or question, which somebody waits for, wants the core. A low priority alone is not enough:
//! a core on which a merge runs counts as busy, so whoever waits on another is not moved to it. Merges take what is left and keep up; should
//! they not, the engine itself slows inserts down once there are many parts.

use super::ffi;

/// What the engine calls the threads that merge.
const NAME: &str = "MergeMutate";

/// Lets the threads that merge now give way; the engine makes them when it needs them. Where threads cannot be listed nothing happens.
pub(crate) fn give_way() {
    let Ok(threads) = std::fs::read_dir("/proc/self/task") else { return };
    for thread in threads.flatten() {
        let name = std::fs::read_to_string(thread.path().join("comm")).unwrap_or_default();
        let id = thread.file_name().to_str().and_then(|id| id.parse().ok());
        if let (NAME, Some(id)) = (name.trim_end(), id)
            && !ffi::run_when_idle(id)
        {
            tracing::debug!(id, "failed to let a thread give way");
        }
    }
}
