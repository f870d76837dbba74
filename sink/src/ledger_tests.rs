use super::*;

const LIMITS: DuplicateLimits = DuplicateLimits { age: Millis(3_600_000), records: 1_000 };

fn intent(min: i64, max: i64) -> Intent {
    Intent { min, max, first_appended_at: 1_700_000_000_123, limits: LIMITS, is_split: false }
}

#[test]
fn marks_survive_their_text() {
    for mark in [
        Mark::default(),
        Mark { appended_at: Some(5), intent: None },
        Mark { appended_at: None, intent: Some(intent(0, 0)) },
        Mark { appended_at: Some(1_700_000_000_000), intent: Some(intent(10, 99)) },
        Mark { appended_at: Some(7), intent: Some(Intent { is_split: true, ..intent(10, 99) }) },
    ] {
        assert_eq!(Mark::parse(&mark.to_string()), Ok(mark), "{mark}");
    }
    assert_eq!(Mark::parse(""), Ok(Mark::default()), "a position set by a person has no metadata");
}

#[test]
fn metadata_of_others_is_never_taken_for_no_intent() {
    for text in [
        "touchstream-sink/2 range=1-2",
        "hello",
        "touchstream-sink/1 range=1-2",
        "touchstream-sink/1 range=1 first=1 age=1 records=1",
        "touchstream-sink/1 split=month",
        "touchstream-sink/1 split=halves",
        "touchstream-sink/1 appended=x",
    ] {
        assert!(matches!(Mark::parse(text), Err(LedgerError::Metadata(_))), "{text}");
    }
}

#[test]
fn what_follows_from_position_and_intent() {
    let found = |committed, replay: Option<Intent>, low, high| Found {
        committed,
        mark: Mark { appended_at: None, intent: replay },
        low,
        high,
    };
    let plan = |next, replay| Ok(Plan { next, replay });
    let cases = [
        ("first start", found(None, None, 7, 50), plan(7, None)),
        ("nothing in flight", found(Some(20), None, 0, 50), plan(20, None)),
        ("at the end", found(Some(50), None, 50, 50), plan(50, None)),
        (
            "crashed after the intent",
            found(Some(20), Some(intent(20, 29)), 0, 50),
            plan(20, Some(intent(20, 29))),
        ),
        (
            "a gap before the range, as control records leave",
            found(Some(20), Some(intent(22, 29)), 0, 30),
            plan(20, Some(intent(22, 29))),
        ),
        (
            "unread records deleted",
            found(Some(20), None, 21, 50),
            Err(LedgerError::Deleted { committed: 20, low: 21 }),
        ),
        ("topic made anew", found(Some(20), None, 0, 3), Err(LedgerError::Ahead { committed: 20, high: 3 })),
        (
            "range beyond the log",
            found(Some(20), Some(intent(20, 29)), 0, 29),
            Err(LedgerError::Ahead { committed: 30, high: 29 }),
        ),
        (
            "range behind the position",
            found(Some(20), Some(intent(10, 29)), 0, 50),
            Err(LedgerError::Intent { min: 10, max: 29, committed: 20 }),
        ),
    ];
    for (name, found, expected) in cases {
        assert_eq!(found.plan(), expected, "{name}");
    }
}

#[test]
fn the_duplicate_window_is_read_from_the_nearer_limit() {
    let found = Found { committed: Some(5_000), mark: Mark::default(), low: 100, high: 9_000 };
    assert_eq!(found.rebuild_from(5_000, LIMITS, None), 4_000, "records bound it");
    assert_eq!(found.rebuild_from(5_000, LIMITS, Some(4_700)), 4_700, "age bounds it");
    assert_eq!(found.rebuild_from(5_000, LIMITS, Some(6_000)), 5_000, "never behind the position");
    assert_eq!(found.rebuild_from(500, LIMITS, Some(0)), 100, "never before the log");
}

#[test]
fn a_record_that_the_ledger_remembers_tells_a_topic_that_was_made_anew() {
    assert_eq!(Mark::default().witness(5), None, "nothing is known of a position set by a person");
    let between = Mark { appended_at: Some(9), intent: None };
    assert_eq!(between.witness(5), Some((4, 9)));
    let within = Mark { appended_at: Some(9), intent: Some(intent(6, 8)) };
    assert_eq!(within.witness(5), Some((6, 1_700_000_000_123)));
}
