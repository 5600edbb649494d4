//! The only door to handlebars: what is rendered from a template, escaped by the kind of its output.
//!
//! Invariant: a template's `{{value}}` is always escaped for its output (Markdown text, one shell word); `{{{value}}}`
//! is for text that a function here made for that place. A name that a template does not get is an error.

mod manifest_page;
mod restore_script;

use handlebars::Handlebars;
use serde::Serialize;

pub use manifest_page::manifest_markdown;
pub use restore_script::{RestoreScriptFacts, restore_script};

use crate::model::failure::{Failure, FailureKind, Result};

/// Renders one template; `escape` makes any text harmless in its output.
fn render(template: &str, escape: fn(&str) -> String, values: &impl Serialize) -> Result<String> {
    let mut handlebars = Handlebars::new();
    handlebars.set_strict_mode(true);
    handlebars.register_escape_fn(escape);
    handlebars.render_template(template, values).map_err(|error| Failure::new(FailureKind::Failed, error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::name::{markdown, shell};

    #[test]
    fn values_are_escaped_by_kind_and_missing_ones_are_errors() {
        #[derive(Serialize)]
        struct Values {
            name: &'static str,
        }
        let values = Values { name: "a'$(x)`|<b>" };
        assert_eq!(render("x={{name}}", shell, &values).unwrap(), r"x='a'\''$(x)`|<b>'");
        assert_eq!(render("{{name}}", markdown, &values).unwrap(), r"a'$\(x\)\`\|&lt;b&gt;");
        assert!(render("{{nothing}}", markdown, &values).is_err());
    }
}
