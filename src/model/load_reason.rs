//! Why a restore writes the rows of a table.
//!
//! Invariant: the value decides what the restore does with the table. Its text is for the reader of the plan (a person
//! or a program); it is never parsed except when a saved plan is read back.

use serde::{Deserialize, Serialize};

/// The reason to load one table of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum LoadReason {
    /// The target does not have the table.
    New,
    /// The target's columns differ from the snapshot's.
    ColumnsDiffer,
    /// The table is dropped and recreated.
    MadeAgain,
    /// The fingerprints differ; `target_rows` is the target's row count.
    RowsDiffer { target_rows: u64 },
    /// The rows are equal, the stored generated columns are not.
    GeneratedColumnsDiffer,
    /// `--sessions drop`: the target's rows are deleted and none are loaded.
    LoginsEnd { target_rows: u64 },
    /// `--into-schema`: a copy of this table in a separate schema.
    CopyOf { table: String },
}

const NEW: &str = "new";
const COLUMNS_DIFFER: &str = "columns differ";
const MADE_AGAIN: &str = "made again";
const ROWS_DIFFER: &str = "rows differ: the target has ";
const GENERATED_COLUMNS_DIFFER: &str = "generated columns differ";
const LOGINS_END: &str = " rows go: --sessions drop";
const COPY_OF: &str = "copy of ";

impl From<LoadReason> for String {
    fn from(reason: LoadReason) -> Self {
        match reason {
            LoadReason::New => NEW.to_string(),
            LoadReason::ColumnsDiffer => COLUMNS_DIFFER.to_string(),
            LoadReason::MadeAgain => MADE_AGAIN.to_string(),
            LoadReason::RowsDiffer { target_rows } => format!("{ROWS_DIFFER}{target_rows}"),
            LoadReason::GeneratedColumnsDiffer => GENERATED_COLUMNS_DIFFER.to_string(),
            LoadReason::LoginsEnd { target_rows } => format!("{target_rows}{LOGINS_END}"),
            LoadReason::CopyOf { table } => format!("{COPY_OF}{table}"),
        }
    }
}

impl TryFrom<String> for LoadReason {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let number = |text: &str| text.parse::<u64>().ok();
        let rows_differ = text.strip_prefix(ROWS_DIFFER).and_then(number);
        let logins_end = text.strip_suffix(LOGINS_END).and_then(number);
        Ok(match text.as_str() {
            NEW => Self::New,
            COLUMNS_DIFFER => Self::ColumnsDiffer,
            MADE_AGAIN => Self::MadeAgain,
            GENERATED_COLUMNS_DIFFER => Self::GeneratedColumnsDiffer,
            _ => match (rows_differ, logins_end, text.strip_prefix(COPY_OF)) {
                (Some(target_rows), ..) => Self::RowsDiffer { target_rows },
                (_, Some(target_rows), _) => Self::LoginsEnd { target_rows },
                (_, _, Some(table)) => Self::CopyOf { table: table.to_string() },
                _ => return Err(format!("unknown reason to load a table: {text}")),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_saved_plan_keeps_every_reason() {
        for reason in [
            LoadReason::New,
            LoadReason::ColumnsDiffer,
            LoadReason::MadeAgain,
            LoadReason::RowsDiffer { target_rows: 7 },
            LoadReason::GeneratedColumnsDiffer,
            LoadReason::LoginsEnd { target_rows: 3 },
            LoadReason::CopyOf { table: "public.new".to_string() },
        ] {
            let text = serde_json::to_string(&reason).unwrap();
            assert_eq!(serde_json::from_str::<LoadReason>(&text).unwrap(), reason, "{text}");
        }
        assert!(serde_json::from_str::<LoadReason>("\"because\"").is_err());
    }
}
