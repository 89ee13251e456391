//! Lines of more points than anybody sees.

use crate::canvas::Point;

/// The same line of fewer points: of those within half a pixel of each other along x the first, the highest, the lowest and the last.
pub fn thinned(points: &[Point]) -> Vec<Point> {
    let column = |point: &Point| (point.0 * 2.0).round();
    let mut thinned = Vec::new();
    for group in points.chunk_by(|a, b| column(a) == column(b)) {
        if group.len() <= 4 {
            thinned.extend_from_slice(group);
            continue;
        }
        let by_height = |a: &usize, b: &usize| group[*a].1.total_cmp(&group[*b].1);
        let ends = [(0..group.len()).min_by(by_height), (0..group.len()).max_by(by_height)];
        let mut kept: Vec<usize> = ends.into_iter().flatten().chain([0, group.len() - 1]).collect();
        kept.sort_unstable();
        kept.dedup();
        thinned.extend(kept.into_iter().map(|at| group[at]));
    }
    thinned
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peak_among_many_points_stays() {
        let points: Vec<_> =
            (0..1_000).map(|at| (0.0, if at == 321 { 9_000.0 } else { f64::from(at % 100) })).collect();
        assert_eq!(thinned(&points), [(0.0, 0.0), (0.0, 9_000.0), (0.0, 99.0)]);
    }

    #[test]
    fn points_that_are_apart_all_stay() {
        let points = [(0.0, 1.0), (1.0, 5.0), (2.0, 3.0)];
        assert_eq!(thinned(&points), points);
    }
}
