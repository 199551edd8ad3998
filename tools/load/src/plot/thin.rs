//! Fewer points for a curve that has more than the paper shows.

/// At most [`POINTS`] points: of each stretch the lowest and the highest, so that no peak is lost.
pub(super) fn thin(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    if points.len() <= POINTS {
        return points.to_vec();
    }
    let stretch = points.len().div_ceil(POINTS / 2);
    let mut thinned = Vec::with_capacity(POINTS);
    for part in points.chunks(stretch) {
        let by_height = |one: &&(f64, f64), other: &&(f64, f64)| one.1.total_cmp(&other.1);
        let ends = part
            .iter()
            .min_by(by_height)
            .zip(part.iter().max_by(by_height));
        if let Some((low, high)) = ends {
            let (first, last) = if low.0 <= high.0 {
                (low, high)
            } else {
                (high, low)
            };
            thinned.push(*first);
            if first != last {
                thinned.push(*last);
            }
        }
    }
    thinned
}

/// Two for each unit of the paper, about.
const POINTS: usize = 800;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_becomes_small_and_keeps_its_peak() {
        let mut day: Vec<(f64, f64)> = (0..86_400).map(|at| (f64::from(at), 1.0)).collect();
        day[4_321].1 = 99.0;
        let thinned = thin(&day);
        assert!(thinned.len() <= POINTS);
        assert!(thinned.contains(&(4_321.0, 99.0)));
        assert!(thinned.is_sorted_by(|one, other| one.0 < other.0));
    }
}
