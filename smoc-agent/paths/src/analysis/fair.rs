//! Max-min fair rates by progressive filling (Bertsekas and Gallager, "Data Networks", 2nd ed. 1992, section
//! 6.5.2): all rates rise together; whoever meets a full resource stays where it is.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Flows, each the list of resources that it passes; one after the other in one list, for there may be very many.
#[derive(Clone, Debug, Default)]
pub struct Flows {
    passes: Vec<u32>,
    /// Where each flow ends among them.
    ends: Vec<usize>,
}

impl Flows {
    /// One more.
    pub fn push(&mut self, passes: impl IntoIterator<Item = u32>) {
        self.passes.extend(passes);
        self.ends.push(self.passes.len());
    }

    fn len(&self) -> usize {
        self.ends.len()
    }

    fn of(&self, flow: usize) -> &[u32] {
        let first = flow.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.passes[first..self.ends[flow]]
    }

    /// The flows that pass each of so many resources, one list after the other, and where each list begins; the last
    /// entry is where all end.
    fn by_resource(&self, resources: usize) -> (Vec<u32>, Vec<usize>) {
        let mut first = vec![0; resources + 1];
        self.passes.iter().for_each(|&resource| first[resource as usize + 1] += 1);
        for resource in 0..resources {
            first[resource + 1] += first[resource];
        }
        let (mut users, mut next) = (vec![0; self.passes.len()], first.clone());
        for flow in 0..self.len() {
            for &resource in self.of(flow) {
                users[next[resource as usize]] = flow as u32;
                next[resource as usize] += 1;
            }
        }
        (users, first)
    }
}

/// The rate of each flow; `capacities` are by resource. A flow that passes none has no limit: its rate is infinite.
pub fn max_min(capacities: &[f64], flows: &Flows) -> Vec<f64> {
    let mut rates = vec![f64::INFINITY; flows.len()];
    let (users, first) = flows.by_resource(capacities.len());
    let mut left = capacities.to_vec();
    let mut rising: Vec<usize> = first.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let level = |left: f64, rising: usize| Level((left / rising as f64).max(0.0));
    let mut heap: BinaryHeap<Reverse<(Level, usize)>> = (0..capacities.len())
        .filter(|&resource| rising[resource] > 0)
        .map(|resource| Reverse((level(left[resource], rising[resource]), resource)))
        .collect();
    while let Some(Reverse((at, resource))) = heap.pop() {
        if rising[resource] == 0 {
            continue;
        }
        let now = level(left[resource], rising[resource]);
        if now > at {
            heap.push(Reverse((now, resource)));
            continue;
        }
        for &flow in &users[first[resource]..first[resource + 1]] {
            if rates[flow as usize].is_infinite() {
                rates[flow as usize] = now.0;
                for &other in flows.of(flow as usize) {
                    left[other as usize] -= now.0;
                    rising[other as usize] -= 1;
                }
            }
        }
    }
    rates
}

/// A share of a resource; never NaN.
#[derive(Clone, Copy)]
struct Level(f64);

impl PartialEq for Level {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Level {}

impl PartialOrd for Level {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Level {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flows(lists: &[Vec<usize>]) -> Flows {
        let mut flows = Flows::default();
        lists.iter().for_each(|list| flows.push(list.iter().map(|&resource| resource as u32)));
        flows
    }

    #[test]
    fn who_avoids_the_crowd_gets_what_it_leaves() {
        // A flow over three links of capacity 1, of which the middle one is the most crowded.
        let rates = max_min(&[1.0, 1.0, 1.0], &flows(&[vec![0, 1, 2], vec![0], vec![1], vec![1], vec![2]]));
        let third = 1.0 / 3.0;
        for (rate, expected) in rates.iter().zip([third, 2.0 * third, third, third, 2.0 * third]) {
            assert!((rate - expected).abs() < 1e-9, "{rates:?}");
        }
    }

    #[test]
    fn no_flow_could_rise_without_a_poorer_one_falling() {
        let mut random = crate::topology::generate::Random(1);
        for _ in 0..200 {
            let capacities: Vec<f64> = (0..6).map(|_| 1.0 + random.below(9) as f64).collect();
            let mut flow = || {
                let mut passes: Vec<usize> = (0..6).filter(|_| random.below(3) == 0).collect();
                passes.push(random.below(6));
                passes.sort_unstable();
                passes.dedup();
                passes
            };
            let flows: Vec<Vec<usize>> = (0..8).map(|_| flow()).collect();
            let rates = max_min(&capacities, &self::flows(&flows));
            let load = |resource: usize| -> f64 {
                flows.iter().zip(&rates).filter(|(f, _)| f.contains(&resource)).map(|(_, rate)| rate).sum()
            };
            for (flow, rate) in flows.iter().zip(&rates) {
                let bottleneck = flow.iter().any(|&resource| {
                    let richest = flows.iter().zip(&rates).filter(|(f, _)| f.contains(&resource));
                    load(resource) > capacities[resource] - 1e-9
                        && richest.clone().all(|(_, r)| *r <= rate + 1e-9)
                });
                assert!(bottleneck, "{flows:?} {rates:?}");
            }
            assert!((0..6).all(|resource| load(resource) <= capacities[resource] + 1e-9));
        }
    }
}
