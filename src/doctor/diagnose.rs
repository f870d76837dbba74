//! From what Kafka said at two moments to what is wrong, why, and what to do. Pure, so that every case can be tried without a Kafka.

use std::collections::BTreeMap;

use serde_json::json;
use touchstream_schemas::event::Family;
use touchstream_schemas::topics::Topics;

use super::cluster::{Ends, Group, Member, Place, RecordSeen, Snapshot};
use super::report::{Finding, Status, counted, span};

/// Records that wait longer than this although their reader is at work are worth a look.
const BEHIND_MS: i64 = 60_000;
/// What a commit and its way to Kafka may take on top of everything.
const GRACE_MS: i64 = 15_000;

/// All that is known.
pub(super) struct Case<'c> {
    pub(super) topics: &'c Topics,
    /// Bound on disorder within a partition, and silence after which it follows the clock.
    pub(super) disorder_ms: i64,
    pub(super) idle_after_ms: i64,
    pub(super) transaction_timeout_ms: i64,
    pub(super) session_timeout_ms: i64,
    pub(super) now: i64,
    pub(super) before: &'c Snapshot,
    pub(super) after: &'c Snapshot,
    /// When the first unread record of a group's partition was appended; absent where none is.
    pub(super) unread: BTreeMap<(String, Place), i64>,
    /// The last record of each raw partition.
    pub(super) last: BTreeMap<Place, RecordSeen>,
}

impl Case<'_> {
    pub(super) fn findings(&self) -> Vec<Finding> {
        let mut findings = vec![self.transactions()];
        findings.extend(self.after.groups.iter().map(|group| self.lag(group)));
        findings.push(self.watermark());
        findings.push(self.windows());
        findings
    }

    /// A transaction that stays open holds back everybody who reads committed records behind it.
    fn transactions(&self) -> Finding {
        let held = |(place, ends): (&Place, &Ends)| {
            let before = self.before.ends.get(place)?;
            (ends.stable < ends.high && before.stable == ends.stable && before.high > before.stable)
                .then(|| (place.clone(), ends.stable))
        };
        let open: Vec<(Place, i64)> = self.after.ends.iter().filter_map(held).collect();
        let Some(((topic, partition), stable)) = open.first() else {
            return Finding::ok("transactions", "no transaction stays open");
        };
        let names: Vec<String> =
            open.iter().map(|((topic, partition), _)| format!("{topic}-{partition}")).collect();
        Finding::new(
            "transactions",
            Status::Problem,
            format!(
                "a transaction stays open in {}: readers of {topic}-{partition} get nothing after offset {stable}",
                counted_partitions(names.len())
            ),
        )
        .advise(format!(
            "Kafka ends it {} after it began (processor.transaction_timeout_ms), when whoever left it open is gone. If it stays, \
             find its producer with `kafka-transactions.sh find-hanging` and end it with `kafka-transactions.sh abort`",
            span(self.transaction_timeout_ms)
        ))
        .with("partitions", names)
    }

    /// Whether a group reads what comes, and if not, where it stands and whose turn it is.
    fn lag(&self, group: &Group) -> Finding {
        let check = check_of(group);
        let mut unread: Vec<Behind<'_>> =
            group.positions.keys().filter_map(|place| self.behind(group, place)).collect();
        // What stands still first, then what waits longest.
        unread.sort_by_key(|behind| (behind.moves, behind.appended_at));
        let records: i64 = unread.iter().map(|behind| behind.records).sum();
        let detail = unread.iter().map(|behind| {
            json!({
                "topic": behind.place.0, "partition": behind.place.1, "records": behind.records,
                "waiting_s": (self.now - behind.appended_at) / 1_000, "moves": behind.moves,
                "owner": behind.owner.map(|owner| owner.client.as_str()),
            })
        });
        let detail: Vec<_> = detail.collect();
        let members: Vec<_> = group.members.iter().map(|member| member.client.as_str()).collect();
        let finding = match unread.first() {
            None if group.members.is_empty() => Finding::new(
                check,
                Status::Problem,
                format!(
                    "nobody is in group {}: no {} runs; nothing waits for it now",
                    group.name, group.service
                ),
            )
            .advise(format!("start `touchstream {}` with these settings", group.service)),
            None => Finding::ok(
                check,
                format!("everything is read; {} in group {}", counted_members(members.len()), group.name),
            ),
            Some(worst) => self.behind_finding(check, group, worst, records),
        };
        finding
            .with("group", group.name.as_str())
            .with("members", members)
            .with("records", records)
            .with("partitions", detail)
    }

    fn behind_finding(
        &self,
        check: &'static str,
        group: &Group,
        worst: &Behind<'_>,
        records: i64,
    ) -> Finding {
        let (topic, partition) = worst.place;
        let waits = self.now - worst.appended_at;
        let what = format!(
            "{} behind; in {topic}-{partition} the oldest has waited for {}",
            counted(records, "record"),
            span(waits)
        );
        if worst.moves {
            let status = if waits > BEHIND_MS { Status::Warning } else { Status::Ok };
            let finding = Finding::new(check, status, format!("{what}; it is being read"));
            return match status {
                Status::Warning => finding.advise(format!(
                    "it catches up if the number falls from one look to the next; else start more instances of `touchstream {}` (at \
                     most one for each partition) or look at what slows it down in its /metrics",
                    group.service
                )),
                _ => finding,
            };
        }
        // Nothing was read while we watched; that may be chance for what has just come.
        let status = if waits > 2_000 { Status::Problem } else { Status::Ok };
        let (why, advice) = self.standstill(group, worst.place, worst.owner);
        Finding::new(check, status, format!("{what}; {why}")).advise(advice)
    }

    /// Why nobody reads on, and what to do.
    fn standstill(&self, group: &Group, place: &Place, owner: Option<&Member>) -> (String, String) {
        let service = group.service;
        match owner {
            Some(owner) => {
                let why = format!("{} on {} owns it and commits nothing", owner.client, owner.host);
                let advice = format!(
                    "look at /readyz and the log of that {service} (its name ends with the instance_id or the process id). If it is stopped or stuck, end \
                     or continue it: {} later others take over",
                    span(self.session_timeout_ms)
                );
                (why, advice)
            }
            None if group.members.is_empty() => (
                format!("nobody is in group {}: no {service} runs", group.name),
                format!("start `touchstream {service}` with these settings"),
            ),
            None => (
                format!("no member of group {} owns {}-{}", group.name, place.0, place.1),
                format!(
                    "the group is sharing out its partitions; look again in {}. If it stays, look at the log of every {service}",
                    span(self.session_timeout_ms)
                ),
            ),
        }
    }

    /// Unread records of a partition.
    fn behind<'g>(&self, group: &'g Group, place: &'g Place) -> Option<Behind<'g>> {
        let ends = self.after.ends.get(place)?;
        let at = |snapshot: &Snapshot| {
            let known = snapshot.groups.iter().find(|known| known.name == group.name);
            let position = known.and_then(|group| group.positions.get(place)?.as_ref());
            position.map_or(ends.low, |position| position.next_offset)
        };
        let appended_at = *self.unread.get(&(group.name.clone(), place.clone()))?;
        let (then, now) = (at(self.before), at(self.after));
        Some(Behind {
            place,
            records: (ends.high - now).max(1),
            appended_at,
            moves: now > then,
            owner: group.owner(place),
        })
    }

    /// Up to when events are complete, and the partition that holds it.
    fn watermark(&self) -> Finding {
        const CHECK: &str = "watermark";
        let of_measure = |snapshot: &Snapshot| -> BTreeMap<Place, Option<i64>> {
            let group = snapshot.groups.iter().find(|group| group.part == "measure");
            let positions = group.into_iter().flat_map(|group| group.positions.clone());
            let watermark = |note: &str| note.parse::<i64>().ok().filter(|value| *value > i64::MIN);
            positions
                .map(|(place, position)| (place, position.and_then(|position| watermark(&position.note))))
                .collect()
        };
        let (before, after) = (of_measure(self.before), of_measure(self.after));
        let (Some(group), Some((place, watermark))) = (
            self.after.groups.iter().find(|group| group.part == "measure"),
            after.iter().min_by_key(|(_, watermark)| **watermark),
        ) else {
            return Finding::new(CHECK, Status::Problem, "there is no raw topic")
                .advise("run `touchstream setup`");
        };
        let moves = before.get(place) != Some(watermark);
        let name = format!("{}-{}", place.0, place.1);
        let last = self.last.get(place);
        let source = last.and_then(|last| last.source.clone());
        let lag = watermark.map(|watermark| self.now - watermark);
        let (why, advice) = self.holder(group, place, *watermark, moves);
        let usual = self.disorder_ms + self.idle_after_ms + GRACE_MS;
        let status = match lag {
            Some(lag) if lag <= (self.disorder_ms + BEHIND_MS).min(usual) => Status::Ok,
            Some(lag) if lag <= usual || moves => Status::Warning,
            None if last.is_none() && group.owner(place).is_some() => Status::Warning,
            _ => Status::Problem,
        };
        let held = match lag {
            Some(lag) => format!("events are complete up to {} ago, held by {name}: {why}", span(lag)),
            None => format!("no window can become final, held by {name}: {why}"),
        };
        let finding = Finding::new(CHECK, status, held)
            .with("topic", place.0.as_str())
            .with("partition", place.1)
            .with("lag_s", lag.map(|lag| lag / 1_000))
            .with("moves", moves)
            .with("owner", group.owner(place).map(|owner| owner.client.as_str()))
            .with("tenant", source.as_ref().map(|(tenant, _)| tenant.as_str()))
            .with("source", source.as_ref().map(|(_, source)| source.as_str()));
        if status == Status::Ok { finding } else { finding.advise(advice) }
    }

    /// Why a partition holds the watermark, and what to do.
    fn holder(&self, group: &Group, place: &Place, watermark: Option<i64>, moves: bool) -> (String, String) {
        let owner = group.owner(place);
        if let Some(behind) = self.behind(group, place) {
            return if behind.moves {
                let why = format!("{} in it are still to be read", counted(behind.records, "record"));
                (why, "wait until they are read; `lag` tells how far it is".to_owned())
            } else {
                let (why, advice) = self.standstill(group, place, owner);
                (format!("{} in it are unread; {why}", counted(behind.records, "record")), advice)
            };
        }
        let last = self.last.get(place);
        let silence = last.map(|last| self.now - last.appended_at);
        let from = match last.and_then(|last| last.source.as_ref()) {
            Some((tenant, source)) => format!("its last event came from source {source} of tenant {tenant}"),
            None => "it has no event".to_owned(),
        };
        let idle = span(self.idle_after_ms);
        if owner.is_none() {
            let (why, advice) = self.standstill(group, place, owner);
            return (format!("only an owner may call it silent, and {why}"), advice);
        }
        if let (Some(last), Some(watermark)) = (last, watermark)
            && let Some(time) = last.time
            && silence.is_some_and(|silence| silence < self.idle_after_ms)
            && last.appended_at - time > BEHIND_MS
            && time - self.disorder_ms <= watermark + BEHIND_MS
        {
            let why = format!("{from}, of a time {} before it came", span(last.appended_at - time));
            let advice = format!(
                "that source sends history or its clock is slow: windows become final once newer events come, or {idle} after its last one"
            );
            return (why, advice);
        }
        match silence {
            None if watermark.is_none() => (
                format!("{from} yet; after {idle} of silence it follows the clock"),
                "wait: the processor has just begun to read it".to_owned(),
            ),
            Some(silence) if silence < self.idle_after_ms => (
                format!("silent for {}; {from}; after {idle} of silence it follows the clock", span(silence)),
                "nothing, if that source is quiet by nature: lower processor.idle_after_s to wait less for silent partitions".to_owned(),
            ),
            _ if moves => (format!("silent ({from}), it follows the clock"), "wait: it moves".to_owned()),
            _ => {
                let (why, advice) = self.standstill(group, place, owner);
                (format!("silent ({from}), and {why}"), advice)
            }
        }
    }

    /// Whether rolling up follows the watermark.
    fn windows(&self) -> Finding {
        const CHECK: &str = "windows";
        let raw: Vec<String> = Family::ALL.into_iter().map(|family| self.topics.raw(family)).collect();
        let positions = |part: &str| {
            let group = self.after.groups.iter().find(|group| group.part == part);
            group.into_iter().flat_map(|group| group.positions.iter()).filter_map(|(place, position)| {
                position.as_ref().map(|position| (place.clone(), position.note.clone()))
            })
        };
        let of_measure = |note: &str| note.parse::<i64>().ok();
        let of_roll_up = |note: &str| note.split(' ').nth(1)?.parse::<i64>().ok();
        let raw_watermark = positions("measure")
            .filter(|(place, _)| raw.contains(&place.0))
            .filter_map(|(_, note)| of_measure(&note))
            .min();
        let slowest =
            positions("roll_up").filter_map(|(place, note)| Some((of_roll_up(&note)?, place))).min();
        match (raw_watermark, slowest) {
            (Some(raw), Some((windows, (topic, partition)))) if raw - windows > BEHIND_MS => Finding::new(
                CHECK,
                Status::Warning,
                format!(
                    "windows are final only up to {} ago, {} behind the watermark, because of {topic}-{partition}",
                    span(self.now.saturating_sub(windows.max(0))),
                    span(raw.saturating_sub(windows.max(0))),
                ),
            )
            .advise(
                "after a long stop windows are caught up with six hours at a time: look again in a minute. If nothing changes, see \
                 lag.processor.roll_up and transactions",
            )
            .with("topic", topic)
            .with("partition", partition),
            (Some(_), Some((windows, _))) => {
                Finding::ok(CHECK, format!("windows are final up to {} ago", span(self.now - windows)))
                    .with("lag_s", (self.now - windows) / 1_000)
            }
            _ => Finding::new(CHECK, Status::Unknown, "no window was made yet"),
        }
    }
}

/// Unread records of a partition.
struct Behind<'g> {
    place: &'g Place,
    records: i64,
    /// When the oldest of them was appended.
    appended_at: i64,
    moves: bool,
    owner: Option<&'g Member>,
}

/// The check's name: bounded, and the same in every release.
fn check_of(group: &Group) -> &'static str {
    match (group.service, group.part) {
        ("processor", "measure") => "lag.processor.measure",
        ("processor", "contacts") => "lag.processor.contacts",
        ("processor", _) => "lag.processor.roll_up",
        (_, "raw") => "lag.sink.raw",
        _ => "lag.sink.derived",
    }
}

fn counted_partitions(count: usize) -> String {
    counted(i64::try_from(count).unwrap_or(i64::MAX), "partition")
}

fn counted_members(count: usize) -> String {
    counted(i64::try_from(count).unwrap_or(i64::MAX), "member")
}

#[cfg(test)]
mod tests {
    use super::super::cluster::Position;
    use super::*;

    const NOW: i64 = 1_800_000_000_000;

    /// A chat partition with 100 records, read up to `next`, whose watermark is `lag` milliseconds behind.
    fn snapshot(next: i64, lag: i64, has_owner: bool) -> Snapshot {
        let place = ("cx.chat".to_owned(), 3);
        let member = Member {
            client: "touchstream-measure-node7-4711".to_owned(),
            host: "10.0.0.7".to_owned(),
            partitions: vec![place.clone()],
        };
        let position = Position { next_offset: next, note: (NOW - lag).to_string() };
        let measure = Group {
            service: "processor",
            part: "measure",
            name: "p-measure".to_owned(),
            members: has_owner.then_some(member).into_iter().collect(),
            positions: BTreeMap::from([(place.clone(), Some(position))]),
        };
        let ends = Ends { low: 0, stable: 100, high: 100 };
        Snapshot { ends: BTreeMap::from([(place, ends)]), groups: vec![measure] }
    }

    fn finding(
        check: &str,
        before: &Snapshot,
        after: &Snapshot,
        waits: Option<i64>,
        silence: i64,
    ) -> Finding {
        let place = ("cx.chat".to_owned(), 3);
        let source = Some(("shop".to_owned(), "callcenter".to_owned()));
        let last = RecordSeen { appended_at: NOW - silence, source, time: Some(NOW - silence) };
        let case = Case {
            topics: &Topics::new("cx"),
            disorder_ms: 30_000,
            idle_after_ms: 30_000,
            transaction_timeout_ms: 30_000,
            session_timeout_ms: 10_000,
            now: NOW,
            before,
            after,
            unread: waits
                .map(|waits| (("p-measure".to_owned(), place.clone()), NOW - waits))
                .into_iter()
                .collect(),
            last: BTreeMap::from([(place, last)]),
        };
        case.findings().into_iter().find(|finding| finding.check == check).expect("every check is made")
    }

    #[track_caller]
    fn assert_says(finding: &Finding, status: Status, parts: &[&str]) {
        let text = format!("{} {}", finding.summary, finding.advice.as_deref().unwrap_or_default());
        assert_eq!(finding.status, status, "{text}");
        for part in parts {
            assert!(text.contains(part), "{part:?} in {text:?}");
        }
    }

    #[test]
    fn the_holder_of_the_watermark_is_named_with_its_reason() {
        let watermark = |before: &Snapshot, after: &Snapshot, waits, silence| {
            finding("watermark", before, after, waits, silence)
        };
        let rest = snapshot(100, 50_000, true);
        let quiet = ["cx.chat-3", "silent for 20 s", "source callcenter of tenant shop", "after 30 s"];
        assert_says(&watermark(&rest, &rest, None, 20_000), Status::Ok, &quiet);
        let stuck = snapshot(100, 400_000, true);
        let asleep = ["cx.chat-3", "touchstream-measure-node7-4711 on 10.0.0.7", "commits nothing"];
        assert_says(&watermark(&stuck, &stuck, None, 370_000), Status::Problem, &asleep);
        let nobody = snapshot(100, 400_000, false);
        assert_says(
            &watermark(&nobody, &nobody, None, 370_000),
            Status::Problem,
            &["no processor runs", "start `"],
        );
        let (before, after) = (snapshot(10, 400_000, true), snapshot(60, 300_000, true));
        assert_says(
            &watermark(&before, &after, Some(290_000), 0),
            Status::Warning,
            &["40 records in it", "cx.chat-3"],
        );
    }

    #[test]
    fn lag_tells_who_stands_still_from_who_catches_up() {
        let lag = |before: &Snapshot, after: &Snapshot, waits| {
            finding("lag.processor.measure", before, after, waits, 0)
        };
        let all_read = snapshot(100, 0, true);
        assert_says(&lag(&all_read, &all_read, None), Status::Ok, &["everything is read"]);
        let (before, after) = (snapshot(10, 0, true), snapshot(60, 0, true));
        assert_says(&lag(&before, &after, Some(1_000)), Status::Ok, &["40 records behind", "being read"]);
        assert_says(&lag(&before, &after, Some(90_000)), Status::Warning, &["more instances"]);
        assert_says(
            &lag(&before, &before, Some(90_000)),
            Status::Problem,
            &["node7-4711", "10 s later others"],
        );
        let nobody = snapshot(10, 0, false);
        assert_says(&lag(&nobody, &nobody, Some(90_000)), Status::Problem, &["touchstream processor"]);
    }

    #[test]
    fn only_a_transaction_that_stays_open_is_a_problem() {
        let with_stable = |stable: i64| {
            let mut snapshot = snapshot(100, 0, true);
            snapshot.ends.values_mut().for_each(|ends| ends.stable = stable);
            snapshot
        };
        let transactions = |before: i64, after: i64| {
            finding("transactions", &with_stable(before), &with_stable(after), None, 0)
        };
        assert_says(&transactions(40, 40), Status::Problem, &["cx.chat-3", "offset 40"]);
        assert_says(&transactions(40, 60), Status::Ok, &[]);
        assert_says(&transactions(100, 60), Status::Ok, &[]);
    }
}
