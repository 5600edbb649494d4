//! "Did you mean …?": the known word that is nearest to a mistyped one.
//!
//! Invariant: pure; it only suggests words from the given list.

/// The number of letters to add, drop, change or swap with a neighbour to get from `a` to `b`.
pub fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().collect();
    let b: Vec<char> = b.chars().collect();
    let mut rows = vec![vec![0_usize; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    for (j, cell) in rows[0].iter_mut().enumerate() {
        *cell = j;
    }
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let cost = usize::from(a[i - 1] != b[j - 1]);
            let mut best = (rows[i - 1][j] + 1).min(rows[i][j - 1] + 1).min(rows[i - 1][j - 1] + cost);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[a.len()][b.len()]
}

/// The nearest word of `known`, if it is near enough.
pub fn closest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > 64 {
        return None;
    }
    let fold = |text: &str| text.to_ascii_lowercase().replace('-', "_");
    let word = fold(word);
    let allowed = (word.chars().count() / 3).clamp(1, 3);
    let near = |candidate: &'a str| (distance(&word, &fold(candidate)), candidate);
    known.into_iter().map(near).filter(|(far, _)| *far <= allowed).min_by_key(|(far, _)| *far).map(|(_, c)| c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_added_dropped_changed_swapped() {
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("keep_days", "keep_dyas"), 1);
        assert_eq!(distance("kitten", "sitting"), 3);
    }

    #[test]
    fn only_near_words_are_suggested() {
        let known = ["sslmode", "sslrootcert", "user", "host"];
        assert_eq!(closest("sslmod", known), Some("sslmode"));
        assert_eq!(closest("SSLMode", known), Some("sslmode"));
        assert_eq!(closest("hsot", known), Some("host"));
        assert_eq!(closest("frobnicate", known), None);
    }
}
