//! Decides the severity of a difference from the kind of object and from what changed.
//!
//! Invariant: in doubt the higher severity; a definition that is not understood is never harmless.

use super::{Change, Pair, Rules, Severity, owners};
use crate::model::inventory::CatalogObject;
use crate::model::object_kind::ObjectKind;

pub fn of(pair: &Pair<'_>, rules: &Rules) -> Severity {
    let Some(either) = pair.left.or(pair.right) else { return Severity::Structure };
    let change = if pair.left.is_some() && pair.right.is_some() { Change::Differs } else { Change::Missing };
    let (was, is) = owners(pair);
    let owner_changed = change == Change::Differs && !rules.ignore_owners && was != is;
    let kind = either.kind;
    if owner_changed || kind.is_about_rights() {
        return Severity::Security;
    }
    let any = |test: fn(&CatalogObject) -> bool| [pair.left, pair.right].into_iter().flatten().any(test);
    match kind {
        ObjectKind::Comment => Severity::Cosmetic,
        ObjectKind::Function | ObjectKind::Procedure if any(runs_as_owner) => Severity::Security,
        // A view without security_invoker checks permissions and row security as its owner.
        ObjectKind::View if change == Change::Differs && view_options(pair.left) != view_options(pair.right) => {
            Severity::Security
        }
        _ => Severity::Structure,
    }
}

/// True if the function's definition has SECURITY DEFINER before its body.
fn runs_as_owner(function: &CatalogObject) -> bool {
    head(&function.definition).contains(" SECURITY DEFINER")
}

/// Everything before the body: up to the first newline outside quotes.
fn head(definition: &str) -> &str {
    let mut quote = None;
    for (at, c) in definition.char_indices() {
        match (quote, c) {
            (None, '\'' | '"') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            (None, '\n') => return &definition[..at],
            _ => {}
        }
    }
    definition
}

/// The options of a view that decide whose privileges apply, unchanged.
fn view_options(view: Option<&CatalogObject>) -> Vec<&str> {
    let Some(options) = view.and_then(|v| v.definition.strip_prefix("WITH (")) else { return Vec::new() };
    let options = options.split(") ").next().unwrap_or_default();
    options.split(", ").filter(|o| o.starts_with("security_")).collect()
}
