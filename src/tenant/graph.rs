//! Circles among tables, and how far each is from a tenant.
//!
//! Invariant: pure and without recursion, so that a chain of ten thousand tables is no problem. Nodes are numbers.

use std::collections::VecDeque;

/// Edges from each node: `edges[n]` are the nodes that `n` refers to.
pub type Edges = Vec<Vec<usize>>;

/// The number of the strongly connected component of each node (Tarjan). Where a component can be reached from another
/// one, it has the lower number.
pub fn components(edges: &Edges) -> Vec<usize> {
    const UNSEEN: usize = usize::MAX;
    let count = edges.len();
    let (mut index, mut low, mut component) = (vec![UNSEEN; count], vec![0; count], vec![UNSEEN; count]);
    let (mut next_index, mut next_component) = (0, 0);
    let mut open: Vec<usize> = Vec::new();
    for start in 0..count {
        if index[start] != UNSEEN {
            continue;
        }
        // A node and how many of its edges were looked at.
        let mut calls = vec![(start, 0)];
        while let Some((node, at)) = calls.last_mut() {
            let node = *node;
            if *at == 0 && index[node] == UNSEEN {
                (index[node], low[node]) = (next_index, next_index);
                next_index += 1;
                open.push(node);
            }
            if let Some(&to) = edges[node].get(*at) {
                *at += 1;
                if index[to] == UNSEEN {
                    calls.push((to, 0));
                } else if component[to] == UNSEEN {
                    low[node] = low[node].min(index[to]);
                }
                continue;
            }
            calls.pop();
            if let Some((caller, _)) = calls.last() {
                low[*caller] = low[*caller].min(low[node]);
            }
            if low[node] == index[node] {
                while let Some(member) = open.pop() {
                    component[member] = next_component;
                    if member == node {
                        break;
                    }
                }
                next_component += 1;
            }
        }
    }
    component
}

/// Steps from each node to the nearest of `ends`; None: no way leads there.
pub fn levels(edges: &Edges, ends: &[usize]) -> Vec<Option<usize>> {
    let mut back: Edges = vec![Vec::new(); edges.len()];
    for (from, list) in edges.iter().enumerate() {
        list.iter().for_each(|to| back[*to].push(from));
    }
    let mut found = vec![None; edges.len()];
    let mut waiting: VecDeque<usize> = ends.iter().copied().collect();
    ends.iter().for_each(|end| found[*end] = Some(0));
    while let Some(node) = waiting.pop_front() {
        let next = found[node].map(|level: usize| level + 1);
        for from in &back[node] {
            if found[*from].is_none() {
                found[*from] = next;
                waiting.push_back(*from);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn reaches(edges: &Edges, from: usize) -> Vec<bool> {
        let mut seen = vec![false; edges.len()];
        let mut waiting = edges[from].clone();
        while let Some(node) = waiting.pop() {
            if !std::mem::replace(&mut seen[node], true) {
                waiting.extend(&edges[node]);
            }
        }
        seen
    }

    #[test]
    fn a_long_chain_is_no_problem() {
        let edges: Edges = (0..100_000).map(|n| if n == 0 { vec![] } else { vec![n - 1] }).collect();
        assert_eq!(components(&edges)[99_999], 99_999);
        assert_eq!(levels(&edges, &[0])[99_999], Some(99_999));
    }

    proptest! {
        #[test]
        fn two_nodes_are_of_one_component_when_each_reaches_the_other(pairs in proptest::collection::vec((0..7_usize, 0..7_usize), 0..16)) {
            let mut edges: Edges = vec![Vec::new(); 7];
            pairs.iter().for_each(|(from, to)| edges[*from].push(*to));
            let found = components(&edges);
            let reach: Vec<Vec<bool>> = (0..7).map(|n| reaches(&edges, n)).collect();
            for a in 0..7 {
                for b in 0..7 {
                    prop_assert_eq!(found[a] == found[b], a == b || reach[a][b] && reach[b][a]);
                    prop_assert!(!reach[a][b] || found[b] <= found[a]);
                }
            }
        }
    }
}
