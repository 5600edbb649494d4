//! The text of gaps: what is missing in the snapshot, why, and what to do.

use super::text::line;
use crate::model::gap::Gap;

/// The lines for a list of gaps; empty for none.
pub fn render(gaps: &[Gap]) -> String {
    let one = |gap: &Gap| {
        format!(
            "  {} ({})\n    why:        {}\n    what to do: {}\n",
            line(&gap.what),
            line(&gap.code),
            line(&gap.why),
            line(&gap.todo)
        )
    };
    gaps.iter().map(one).collect()
}
