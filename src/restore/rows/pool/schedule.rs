//! Decides which work may start now: the order of loads and builds. It has no connection.
//!
//! Invariant: work takes all its locks at its start, and only when no running work holds a conflicting one; so two
//! pieces of work never wait for each other. Every piece ends as done or failed, even when dependencies form a cycle.
//! The same input with the same order of endings gives the same order of starts.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};

use super::BuildTask;
use crate::model::name::QualifiedName;
use crate::restore::rows::load::LoadTask;

/// Smaller tables are loaded over one connection.
pub const SPLIT_BYTES: u64 = 16 << 20;

/// A piece of work to start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Index of a load, and the number of connections for it.
    Load { index: usize, streams: usize },
    /// Index of a build.
    Build { index: usize },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    Running,
    Done,
    Failed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Held {
    Free,
    Shared(u32),
    Exclusive,
}

/// A load or a build. Loads come first, in the order in which they were given.
#[derive(Debug)]
struct Node {
    state: State,
    cost: u64,
    /// Its own cost plus that of what waits for it: the priority.
    tail: u64,
    tables: Vec<usize>,
    shared: bool,
    /// Nodes that must be done first, and how many of them are not done.
    needs: Vec<usize>,
    missing: usize,
    dependents: Vec<usize>,
}

/// The work of one phase.
#[derive(Debug)]
pub struct Schedule {
    nodes: Vec<Node>,
    loads: usize,
    loads_open: usize,
    held: Vec<Held>,
    /// Nodes without missing needs, most urgent first.
    ready: BTreeSet<(Reverse<u64>, usize)>,
    /// Total cost of everything that has not started.
    cost_open: u64,
    jobs: usize,
}

/// Numbers the tables.
#[derive(Default)]
struct Tables<'a>(HashMap<&'a QualifiedName, usize>);

impl<'a> Tables<'a> {
    fn number(&mut self, table: &'a QualifiedName) -> usize {
        let next = self.0.len();
        *self.0.entry(table).or_insert(next)
    }
}

impl Schedule {
    /// `jobs`: the number of connections. Needs without a build and rows without a load count as done.
    pub fn new(loads: &[LoadTask], builds: &[BuildTask], jobs: usize) -> Self {
        let mut tables = Tables::default();
        let mut rows: HashMap<&QualifiedName, Vec<usize>> = HashMap::new();
        let mut nodes = Vec::with_capacity(loads.len() + builds.len());
        for (index, load) in loads.iter().enumerate() {
            rows.entry(&load.table).or_default().push(index);
            nodes.push(node(load.bytes_raw, vec![tables.number(&load.table)], false, Vec::new()));
        }
        let ids: HashMap<i64, usize> = builds.iter().enumerate().map(|(i, b)| (b.dump_id, loads.len() + i)).collect();
        for build in builds {
            let mut needs: Vec<usize> = build.needs.iter().filter_map(|id| ids.get(id).copied()).collect();
            needs.extend(build.after_rows.iter().filter_map(|table| rows.get(table)).flatten());
            needs.sort_unstable();
            needs.dedup();
            let mut locks: Vec<usize> = build.tables.iter().map(|table| tables.number(table)).collect();
            locks.sort_unstable();
            locks.dedup();
            nodes.push(node(build.weight, locks, build.shared, needs));
        }
        let held = vec![Held::Free; tables.0.len()];
        let cost_open = nodes.iter().map(|n| n.cost).sum();
        let (loads, jobs) = (loads.len(), jobs.max(1));
        let mut schedule = Self { nodes, loads, loads_open: loads, held, ready: BTreeSet::new(), cost_open, jobs };
        schedule.link();
        schedule
    }

    /// Computes dependents, priorities, and the nodes that are ready.
    fn link(&mut self) {
        for at in 0..self.nodes.len() {
            for need in self.nodes[at].needs.clone() {
                self.nodes[need].dependents.push(at);
            }
        }
        // From the ends backwards. Nodes of a cycle are never reached, and never run.
        let mut open: Vec<usize> = self.nodes.iter().map(|n| n.dependents.len()).collect();
        let mut ends: Vec<usize> = (0..self.nodes.len()).filter(|at| open[*at] == 0).collect();
        while let Some(at) = ends.pop() {
            let tails = self.nodes[at].dependents.iter().map(|d| self.nodes[*d].tail);
            // After a load, the dependents mostly lock the same table one after the other: sum. After a build, the
            // longest chain counts: maximum.
            let after = if at < self.loads { tails.sum() } else { tails.max().unwrap_or(0) };
            self.nodes[at].tail = self.nodes[at].cost.saturating_add(after);
            for need in self.nodes[at].needs.clone() {
                open[need] -= 1;
                if open[need] == 0 {
                    ends.push(need);
                }
            }
        }
        let ready = self.nodes.iter().enumerate().filter(|(_, n)| n.missing == 0);
        self.ready = ready.map(|(at, n)| (Reverse(n.tail), at)).collect();
    }

    /// The work to start now, with `idle` free connections. `None`: wait until something ends.
    pub fn next(&mut self, idle: usize) -> Option<Work> {
        if idle == 0 {
            return None;
        }
        let (key, at) = self.ready.iter().find(|(_, at)| self.lockable(&self.nodes[*at])).map(|k| (*k, k.1))?;
        self.ready.remove(&key);
        let streams = if at < self.loads { self.streams(&self.nodes[at], idle) } else { 1 };
        let node = &mut self.nodes[at];
        node.state = State::Running;
        self.cost_open -= node.cost;
        for table in &node.tables {
            self.held[*table] = match (node.shared, self.held[*table]) {
                (true, Held::Shared(others)) => Held::Shared(others + 1),
                (true, _) => Held::Shared(1),
                (false, _) => Held::Exclusive,
            };
        }
        if at < self.loads {
            return Some(Work::Load { index: at, streams });
        }
        Some(Work::Build { index: at - self.loads })
    }

    fn lockable(&self, node: &Node) -> bool {
        node.tables.iter().all(|table| match self.held[*table] {
            Held::Free => true,
            Held::Shared(_) => node.shared,
            Held::Exclusive => false,
        })
    }

    /// Splits a table over several connections only if the others would be idle meanwhile. Connections that extend the
    /// same table wait for each other, and only a single one can write frozen rows, which spares every later reader
    /// (two cores, 1 GB, one table of 60 %: 20 s instead of 24 s).
    fn streams(&self, load: &Node, idle: usize) -> usize {
        let others = self.cost_open.saturating_sub(load.tail);
        let busy = others / 2 >= load.cost / 4 * (self.jobs as u64 - 1);
        if load.cost < SPLIT_BYTES || busy {
            return 1;
        }
        let share = (self.cost_open / self.jobs as u64).max(1);
        usize::try_from(load.tail.div_ceil(share)).unwrap_or(idle).clamp(1, idle)
    }

    /// A load has succeeded.
    pub fn load_done(&mut self, index: usize) {
        self.loads_open -= 1;
        self.done(index);
    }

    /// A build has succeeded.
    pub fn build_done(&mut self, index: usize) {
        self.done(self.loads + index);
    }

    /// A build has failed. Returns the builds that depend on it and will not be tried, nearest first: pairs of (build,
    /// the build that it needs).
    pub fn build_failed(&mut self, index: usize) -> Vec<(usize, usize)> {
        let failed = self.failed(self.loads + index);
        failed.into_iter().map(|(dependent, cause)| (dependent, cause - self.loads)).collect()
    }

    /// A load has failed. Returns the builds that will not be tried, as `build_failed` does; the second number counts
    /// loads and builds.
    pub fn load_failed(&mut self, index: usize) -> Vec<(usize, usize)> {
        self.loads_open -= 1;
        self.failed(index)
    }

    fn failed(&mut self, at: usize) -> Vec<(usize, usize)> {
        self.release(at);
        self.nodes[at].state = State::Failed;
        let mut failed = Vec::new();
        let mut waiting = std::collections::VecDeque::from([at]);
        while let Some(cause) = waiting.pop_front() {
            for dependent in self.nodes[cause].dependents.clone() {
                let node = &mut self.nodes[dependent];
                if node.state == State::Waiting {
                    node.state = State::Failed;
                    self.ready.remove(&(Reverse(node.tail), dependent));
                    self.cost_open -= node.cost;
                    failed.push((dependent - self.loads, cause));
                    waiting.push_back(dependent);
                }
            }
        }
        failed
    }

    /// Builds that never became ready although nothing is running: their dependencies form a cycle.
    pub fn stuck(&self) -> Vec<usize> {
        let waiting = self.nodes.iter().enumerate().filter(|(_, n)| n.state == State::Waiting);
        waiting.map(|(at, _)| at - self.loads).collect()
    }

    /// Are all loads done or failed?
    pub fn loads_done(&self) -> bool {
        self.loads_open == 0
    }

    fn done(&mut self, at: usize) {
        self.release(at);
        self.nodes[at].state = State::Done;
        for dependent in self.nodes[at].dependents.clone() {
            let node = &mut self.nodes[dependent];
            node.missing -= 1;
            if node.missing == 0 && node.state == State::Waiting {
                self.ready.insert((Reverse(node.tail), dependent));
            }
        }
    }

    fn release(&mut self, at: usize) {
        for table in &self.nodes[at].tables {
            self.held[*table] = match self.held[*table] {
                Held::Shared(count) if count > 1 => Held::Shared(count - 1),
                _ => Held::Free,
            };
        }
    }
}

fn node(cost: u64, tables: Vec<usize>, shared: bool, needs: Vec<usize>) -> Node {
    let missing = needs.len();
    Node { state: State::Waiting, cost, tail: cost, tables, shared, needs, missing, dependents: Vec::new() }
}

#[cfg(test)]
#[path = "schedule_tests.rs"]
mod tests;
