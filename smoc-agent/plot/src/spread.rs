//! Names that would overlap are moved apart.

/// Moves places, each wished for, at least `gap` apart and between `low` and `high`, as little as it takes and in the same order.
/// Where there is no room for all they overlap evenly.
pub fn spread(wished: &[f64], gap: f64, low: f64, high: f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..wished.len()).collect();
    order.sort_by(|&a, &b| wished[a].total_cmp(&wished[b]));
    let room = (high - low).max(0.0) / wished.len().saturating_sub(1).max(1) as f64;
    let gap = gap.min(room);
    // Groups of places that touch each other: the first place and how many; each group lies around the mean of its wishes.
    let mut groups: Vec<(f64, Vec<usize>)> = Vec::new();
    for at in order {
        groups.push((wished[at].clamp(low, high), vec![at]));
        while let [.., (before, members), (first, _)] = groups.as_slice()
            && before + gap * members.len() as f64 > first + 1e-9
        {
            let (_, last) = groups.pop().unwrap_or_default();
            let Some((start, members)) = groups.last_mut() else { break };
            members.extend(last);
            let wish = |(place, &at): (usize, &usize)| wished[at] - gap * place as f64;
            let mean = members.iter().enumerate().map(wish).sum::<f64>() / members.len() as f64;
            *start = mean.min(high - gap * (members.len() - 1) as f64).max(low);
        }
    }
    let mut places = vec![0.0; wished.len()];
    for (start, members) in groups {
        for (place, at) in members.into_iter().enumerate() {
            places[at] = start + gap * place as f64;
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_overlap_stays() {
        assert_eq!(spread(&[10.0, 50.0, 30.0], 15.0, 0.0, 100.0), [10.0, 50.0, 30.0]);
    }

    #[test]
    fn what_overlaps_moves_apart_around_its_middle_and_stays_inside() {
        assert_eq!(spread(&[50.0, 50.0], 10.0, 0.0, 100.0), [45.0, 55.0]);
        assert_eq!(spread(&[99.0, 98.0, 97.0], 10.0, 0.0, 100.0), [100.0, 90.0, 80.0]);
        assert_eq!(spread(&[0.0, 1.0, 50.0], 10.0, 0.0, 100.0), [0.0, 10.0, 50.0]);
    }

    #[test]
    fn too_many_share_the_room() {
        assert_eq!(spread(&[1.0; 5], 10.0, 0.0, 20.0), [0.0, 5.0, 10.0, 15.0, 20.0]);
        assert_eq!(spread(&[], 10.0, 0.0, 20.0), [0.0; 0]);
    }
}
