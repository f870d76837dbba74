//! The group of one stage: members that share its partitions, die at any moment, and come back too late.

use rand::prelude::*;
use rand_chacha::ChaCha8Rng;
use touchstream_processor::stage::{InputPartition, Stage};
use touchstream_schemas::time::EventTime;

use super::Happened;
use crate::log::{Ended, Fault, Log, Owner, inputs_of, next_generation};

/// Makes a new member's stage.
type Make<'m> = Box<dyn Fn() -> Box<dyn Stage> + 'm>;

/// The owners of one stage's partitions.
pub(crate) struct Group<'m> {
    make: Make<'m>,
    members: Vec<Owner>,
    /// Those that were away when the partitions were given to others, and still believe to own them.
    away: Vec<Owner>,
}

impl<'m> Group<'m> {
    /// One member that owns everything.
    pub(crate) fn new(make: Make<'m>, log: &Log, now: EventTime) -> Group<'m> {
        let owner = Owner::take_over(make(), log, now);
        Group { make, members: vec![owner], away: Vec::new() }
    }

    /// One step of each member, with whatever may go wrong.
    pub(crate) fn step(
        &mut self,
        random: &mut ChaCha8Rng,
        log: &mut Log,
        now: EventTime,
        happened: &mut Happened,
    ) {
        if random.random_bool(0.06) {
            self.rebalance(random, log, now, happened);
        }
        for owner in std::mem::take(&mut self.away) {
            self.come_back(owner, random, log, now, happened);
        }
        let mut is_lost = false;
        for member in &mut self.members {
            let fault = random.random_bool(0.15).then(|| match random.random_range(0..3) {
                0 => Fault::BeforeSettling,
                1 => Fault::WhileSettling(random.random_range(0..12)),
                _ => Fault::BeforeCommit,
            });
            let ended = member.try_step(log, || random.random_range(1..30), now, fault);
            assert_ne!(ended, Ended::Fenced, "nobody took over from the members");
            match fault.filter(|_| ended == Ended::Aborted) {
                Some(Fault::BeforeSettling) => happened.died_before_settling += 1,
                Some(Fault::WhileSettling(_)) => happened.died_while_settling += 1,
                Some(Fault::BeforeCommit) => happened.died_before_commit += 1,
                None => {}
            }
            let dies_after = ended == Ended::Committed && random.random_bool(0.05);
            happened.died_after_commit += u64::from(dies_after);
            is_lost |= ended == Ended::Aborted || dies_after;
        }
        if is_lost {
            self.rebalance(random, log, now, happened);
        }
    }

    /// Somebody who was away goes on as if nothing had happened, until Kafka tells.
    fn come_back(
        &mut self,
        mut owner: Owner,
        random: &mut ChaCha8Rng,
        log: &mut Log,
        now: EventTime,
        happened: &mut Happened,
    ) {
        if random.random_bool(0.4) {
            return self.away.push(owner);
        }
        let ended = owner.try_step(log, || random.random_range(1..30), now, None);
        assert!(ended == Ended::Fenced || log.broken.is_some(), "the group has gone on without it");
        happened.fenced += 1;
        // It joins again as the process that it is.
        if random.random_bool(0.5) && self.members.len() < 3 {
            self.members.push(owner);
            self.rebalance(random, log, now, happened);
        }
    }

    /// Everything is taken away and given anew: to processes that go on, with state to forget, and to new ones.
    fn rebalance(&mut self, random: &mut ChaCha8Rng, log: &mut Log, now: EventTime, happened: &mut Happened) {
        happened.rebalances += 1;
        let mut members = std::mem::take(&mut self.members);
        next_generation(log, &*members[0].stage);
        let living = members.iter().position(|member| !member.is_void);
        if let Some(living) = living.filter(|_| self.away.len() < 2 && random.random_bool(0.3)) {
            happened.second_owners += 1;
            self.away.push(members.swap_remove(living));
        }
        members.retain(|_| random.random_bool(0.6));
        let wanted = random.random_range(1..=3);
        members.truncate(wanted);
        while members.len() < wanted {
            members.push(Owner::idle((self.make)()));
        }
        let mut given: Vec<Vec<InputPartition>> = vec![Vec::new(); wanted];
        let mut partitions = inputs_of(&*members[0].stage);
        partitions.shuffle(random);
        for partition in partitions {
            given[random.random_range(0..wanted)].push(partition);
        }
        for (member, given) in members.iter_mut().zip(given) {
            if random.random_bool(0.1) && !member.assign(log, &given, now, Some(random.random_range(0..10))) {
                happened.died_while_taking_over += 1;
            }
            assert!(member.assign(log, &given, now, None), "nothing stops it");
        }
        self.members = members;
    }

    /// One member goes on with everything.
    pub(crate) fn gather(&mut self, log: &mut Log, now: EventTime) {
        next_generation(log, &*self.members[0].stage);
        self.away.clear();
        self.members = vec![Owner::take_over((self.make)(), log, now)];
    }

    /// A step without faults.
    pub(crate) fn settle(&mut self, log: &mut Log, now: EventTime) {
        for member in &mut self.members {
            let ended = member.try_step(log, || 1_000, now, None);
            assert_eq!(ended, Ended::Committed);
        }
    }

    /// Whether everything was read, and windows are up to date.
    pub(crate) fn is_at_rest(&self, log: &Log, now: EventTime, watermark: EventTime) -> bool {
        self.members.iter().all(|member| member.is_at_end(log) && member.is_up_to(now, watermark))
    }
}
