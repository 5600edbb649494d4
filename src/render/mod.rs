//! The only module that uses handlebars: renders templates with escaping for the kind of output.
//!
//! Invariant: `{{value}}` in a template is always escaped for its output (Markdown text, one shell word); `{{{value}}}`
//! is only for text that this module has already made safe. A missing template value is an error.

mod manifest_page;
mod restore_script;

use handlebars::Handlebars;
use serde::Serialize;

pub use manifest_page::manifest_markdown;
pub use restore_script::{RestoreScriptFacts, restore_script};

use crate::model::failure::{Failure, FailureKind, Result};

/// Renders one template; `escape` makes any text safe for this output.
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
