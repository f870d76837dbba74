use std::collections::{BTreeMap, VecDeque};
use std::io::{Error, ErrorKind};

use proptest::prelude::*;
use touchstream_schemas::event::Family;
use touchstream_schemas::time::Millis;

use super::*;

const NOW: EventTime = EventTime(1_000_000);
const LIMITS: Limits = Limits { bytes: 1 << 20, age: Millis(60_000), segment_bytes: 400 };

fn bodies(numbers: std::ops::Range<usize>) -> Bodies {
    let mut bodies = Bodies::default();
    for number in numbers {
        let payload = vec![b'x'; number % 40];
        let key = number.to_string();
        bodies.push(&Record {
            spooled_at: NOW,
            family: Family::ALL[number % 4],
            key: key.as_bytes(),
            payload: &payload,
        });
    }
    bodies
}

fn open(path: &std::path::Path, limits: Limits) -> (Store<Folder>, Vec<Damage>) {
    let mut found = Vec::new();
    let store = Store::recover(Folder::open(path).unwrap(), limits, |damage| found.push(damage)).unwrap();
    (store, found)
}

/// Sends everything on; the numbers of the records, and those under which they are acknowledged.
fn drain<D: Disk>(store: &mut Store<D>) -> (Vec<usize>, Vec<u64>, usize) {
    let (mut keys, mut numbers) = (Vec::new(), Vec::new());
    let forwarded = store
        .forward(usize::MAX, |record, number| {
            keys.push(std::str::from_utf8(record.key).unwrap().parse().unwrap());
            numbers.push(number);
            true
        })
        .unwrap();
    (keys, numbers, forwarded.damaged)
}

fn segment_files(path: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "segment"));
    files.sort();
    files
}

#[test]
fn a_last_write_torn_at_any_byte_costs_only_what_was_not_confirmed() {
    let whole = tempfile::tempdir().unwrap();
    let limits = Limits { segment_bytes: 1 << 20, ..LIMITS };
    let (mut store, _) = open(whole.path(), limits);
    assert_eq!(store.commit(&[&bodies(0..5)], NOW), [Ok(())]);
    let file = segment_files(whole.path()).remove(0);
    let confirmed = std::fs::metadata(&file).unwrap().len();
    assert_eq!(store.commit(&[&bodies(5..8)], NOW), [Ok(())]);
    drop(store);
    let bytes = std::fs::read(&file).unwrap();
    for length in usize::try_from(confirmed).unwrap()..=bytes.len() {
        let torn = tempfile::tempdir().unwrap();
        std::fs::write(torn.path().join(file.file_name().unwrap()), &bytes[..length]).unwrap();
        let (mut store, damage) = open(torn.path(), limits);
        // What follows goes behind it, never into it.
        assert_eq!(store.commit(&[&bodies(8..9)], NOW), [Ok(())]);
        let (keys, _, damaged) = drain(&mut store);
        assert!(keys.starts_with(&[0, 1, 2, 3, 4]) && keys.ends_with(&[8]), "cut at {length}: {keys:?}");
        assert!(keys.is_sorted() && damaged == 0, "cut at {length}");
        assert!(damage.iter().all(|damage| *damage == Damage::Torn) && damage.len() <= 1, "cut at {length}");
        drop(store);
        assert!(open(torn.path(), limits).1.is_empty(), "it is told once");
    }
}

#[test]
fn a_changed_bit_costs_one_record_and_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let (mut store, _) = open(directory.path(), LIMITS);
    for number in 0..20 {
        assert_eq!(store.commit(&[&bodies(number..number + 1)], NOW), [Ok(())]);
    }
    drop(store);
    let files = segment_files(directory.path());
    assert!(files.len() > 2, "several segments");
    for file in [&files[0], &files[1]] {
        let mut bytes = std::fs::read(file).unwrap();
        // In the body of the second record, so that it is neither the header nor the tail.
        let starts = bytes.windows(4).enumerate().filter(|(_, window)| *window == [0xFF, 0xC0, 0xFE, 0xC1]);
        let second = starts.map(|(start, _)| start).nth(1).unwrap();
        bytes[second + FRAME_BYTES + 3] ^= 4;
        std::fs::write(file, bytes).unwrap();
    }
    // A damaged header costs nothing: its number stands in the name.
    let mut bytes = std::fs::read(&files[2]).unwrap();
    bytes[9] ^= 1;
    std::fs::write(&files[2], bytes).unwrap();
    let (mut store, damage) = open(directory.path(), LIMITS);
    assert_eq!(damage, [Damage::Corrupt]);
    let (keys, _, damaged) = drain(&mut store);
    assert_eq!((keys.len(), damaged), (18, 2), "{keys:?}");
    assert!(keys.is_sorted());
}

#[test]
fn progress_outlives_the_process_and_numbers_never_begin_again() {
    let directory = tempfile::tempdir().unwrap();
    let (mut store, _) = open(directory.path(), LIMITS);
    assert_eq!(store.commit(&[&bodies(0..30)], NOW), [Ok(())]);
    let (_, numbers, _) = drain(&mut store);
    for number in &numbers[..12] {
        store.ledger.acknowledge(*number);
    }
    store.tidy().unwrap();
    drop(store);
    let (mut store, _) = open(directory.path(), LIMITS);
    assert_eq!(store.ledger.records(), 18);
    let (keys, numbers, _) = drain(&mut store);
    assert_eq!(keys, (12..30).collect::<Vec<_>>());
    numbers.iter().for_each(|number| store.ledger.acknowledge(*number));
    store.tidy().unwrap();
    assert_eq!((store.ledger.bytes(), segment_files(directory.path()).len()), (0, 0));
    let first = store.ledger.next_number();
    drop(store);

    // A progress of a life before must not be taken for one of a new file.
    let (mut store, _) = open(directory.path(), LIMITS);
    assert_eq!(store.ledger.next_number(), first);
    assert_eq!(store.commit(&[&bodies(0..3)], NOW), [Ok(())]);
    drop(store);
    let (mut store, _) = open(directory.path(), LIMITS);
    assert_eq!(drain(&mut store).0, [0, 1, 2]);
    assert!(matches!(Folder::open(directory.path()), Err(SpoolError::Locked { .. })));
}

#[test]
fn bytes_and_age_bound_what_is_admitted() {
    let directory = tempfile::tempdir().unwrap();
    let limits = Limits { bytes: 2_000, ..LIMITS };
    let (mut store, _) = open(directory.path(), limits);
    let (small, large) = (bodies(0..5), bodies(0..60));
    assert_eq!(
        store.commit(&[&small, &large, &small], NOW),
        [Ok(()), Err(NotAdmitted::Full), Err(NotAdmitted::Full)],
        "nothing overtakes what was refused"
    );
    let later = NOW + limits.age + Millis(1);
    assert_eq!(store.commit(&[&small], later), [Err(NotAdmitted::Age)]);
    let (keys, numbers, _) = drain(&mut store);
    assert_eq!(keys, [0, 1, 2, 3, 4], "age drops nothing");
    assert_eq!(store.is_accepting(later), Err(NotAdmitted::Full), "what is left is no room for a request");
    numbers.iter().for_each(|number| store.ledger.acknowledge(*number));
    assert_eq!(store.commit(&[&small], later), [Ok(())]);
}

/// A disk in memory whose next calls fail as told.
#[derive(Debug, Default)]
struct Faulty {
    files: BTreeMap<u64, Vec<u8>>,
    open: u64,
    failures: VecDeque<&'static str>,
    writes_after_failure: usize,
    failed: Option<u64>,
}

impl Faulty {
    fn fail(&mut self, call: &'static str) -> std::io::Result<()> {
        if self.failures.front() == Some(&call) {
            self.failures.pop_front();
            self.failed = Some(self.open);
            return Err(Error::from(ErrorKind::StorageFull));
        }
        Ok(())
    }
}

impl Disk for Faulty {
    fn create(&mut self, header: SegmentHeader) -> std::io::Result<()> {
        self.fail("create")?;
        self.open = header.number;
        assert!(
            self.files.insert(header.number, header.to_bytes().to_vec()).is_none(),
            "a number comes twice"
        );
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        assert_ne!(self.failed, Some(self.open), "a segment that failed is never written again");
        let failure = self.fail("append");
        // A full disk takes half of it.
        let written = if failure.is_err() { bytes.len() / 2 } else { bytes.len() };
        self.files.get_mut(&self.open).unwrap().extend_from_slice(&bytes[..written]);
        failure
    }

    fn sync(&mut self) -> std::io::Result<()> {
        self.fail("sync")
    }

    fn abandon(&mut self, header: SegmentHeader, length: u64) {
        self.writes_after_failure += 1;
        self.files.get_mut(&header.number).unwrap().truncate(usize::try_from(length).unwrap());
    }

    fn read(&self, header: SegmentHeader, from: u64, to: u64) -> std::io::Result<Vec<u8>> {
        let range = usize::try_from(from).unwrap()..usize::try_from(to).unwrap();
        Ok(self.files[&header.number][range].to_vec())
    }

    fn delete(&mut self, header: SegmentHeader) -> std::io::Result<()> {
        self.files.remove(&header.number);
        Ok(())
    }

    fn save_progress(&mut self, _: SegmentHeader, _: u64) -> std::io::Result<()> {
        Ok(())
    }
}

fn faulty(limits: Limits) -> Store<Faulty> {
    let mut store = Store::new(Faulty::default(), Ledger::new(limits, Vec::new(), None, 0));
    store.pause = Duration::ZERO;
    store
}

#[test]
fn a_disk_that_fails_confirms_nothing_and_its_segment_is_given_up() {
    for failing in ["create", "append", "sync"] {
        let mut store = faulty(Limits { segment_bytes: 1 << 20, ..LIMITS });
        if failing != "create" {
            assert_eq!(store.commit(&[&bodies(0..3)], NOW), [Ok(())]);
        }
        store.disk.failures.push_back(failing);
        let (one, two) = (bodies(90..92), bodies(92..93));
        let refused = [Err(NotAdmitted::Disk), Err(NotAdmitted::Disk)];
        assert_eq!(store.commit(&[&one, &two], NOW), refused, "{failing}");
        assert_eq!(store.is_accepting(NOW), Err(NotAdmitted::Disk), "{failing}");
        // It recovers by itself, even when nobody sends because it is not ready.
        store.probe(NOW);
        assert_eq!(store.is_accepting(NOW), Ok(()), "{failing}");
        assert_eq!(store.commit(&[&bodies(3..6)], NOW), [Ok(())], "{failing}");
        let expected: Vec<usize> = if failing == "create" { (3..6).collect() } else { (0..6).collect() };
        assert_eq!(drain(&mut store).0, expected, "{failing}");
    }
}

/// What may happen to a store.
#[derive(Clone, Debug)]
enum Act {
    Commit(usize),
    Fail(&'static str),
    Forward(usize),
    Acknowledge(usize),
    Rewind,
    Tidy,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        (1..8_usize).prop_map(Act::Commit),
        prop::sample::select(vec!["create", "append", "sync"]).prop_map(Act::Fail),
        (1..12_usize).prop_map(Act::Forward),
        (0..20_usize).prop_map(Act::Acknowledge),
        Just(Act::Rewind),
        Just(Act::Tidy),
    ]
}

proptest! {
    /// Against a list: whatever happens, every confirmed record is sent in order until it is acknowledged, and then forgotten.
    #[test]
    fn every_confirmed_record_is_sent_in_order(acts in prop::collection::vec(act(), 1..120)) {
        let mut store = faulty(LIMITS);
        let mut next = 0;
        // Confirmed and not known to be with Kafka; how many of them are on their way, and which were acknowledged.
        let mut waiting: Vec<usize> = Vec::new();
        let mut in_flight: Vec<(u64, usize, bool)> = Vec::new();
        for act in acts {
            match act {
                Act::Commit(count) => {
                    if store.commit(&[&bodies(next..next + count)], NOW) == [Ok(())] {
                        waiting.extend(next..next + count);
                    }
                    next += count;
                }
                Act::Fail(call) => store.disk.failures.push_back(call),
                Act::Forward(budget) => {
                    let mut sent = Vec::new();
                    store.forward(budget, |record, number| {
                        sent.push((number, std::str::from_utf8(record.key).unwrap().parse::<usize>().unwrap()));
                        true
                    }).unwrap();
                    let from = in_flight.len();
                    let expected: Vec<usize> = waiting.iter().skip(from).take(budget).copied().collect();
                    prop_assert_eq!(sent.iter().map(|(_, key)| *key).collect::<Vec<_>>(), expected);
                    in_flight.extend(sent.into_iter().map(|(number, key)| (number, key, false)));
                }
                Act::Acknowledge(index) => {
                    if let Some(sent) = in_flight.get_mut(index) {
                        sent.2 = true;
                        store.ledger.acknowledge(sent.0);
                    }
                    let done = in_flight.iter().take_while(|sent| sent.2).count();
                    in_flight.drain(..done);
                    waiting.drain(..done);
                }
                Act::Rewind => {
                    store.ledger.rewind();
                    in_flight.clear();
                }
                Act::Tidy => store.tidy().unwrap(),
            }
            prop_assert_eq!(store.ledger.records(), waiting.len() as u64);
            prop_assert_eq!(store.ledger.in_flight().0, in_flight.len());
        }
        store.disk.failures.clear();
        store.ledger.rewind();
        let (keys, numbers, damaged) = drain(&mut store);
        prop_assert_eq!(keys, waiting);
        prop_assert_eq!(damaged, 0);
        numbers.iter().for_each(|number| store.ledger.acknowledge(*number));
        store.tidy().unwrap();
        prop_assert!(store.disk.files.is_empty() && store.ledger.bytes() == 0);
    }
}
