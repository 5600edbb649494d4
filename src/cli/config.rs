//! `stacksnap config show|validate|schema`

use serde::Serialize;

use super::args::ConfigAction;
use super::{Ended, Surroundings, wiring};
use crate::config;
use crate::model::failure::Result;
use crate::ui::out;
use crate::ui::table::{Align, Table};

#[derive(Serialize)]
struct ShowDocument {
    settings: Vec<config::ShownValue>,
    warnings: Vec<String>,
}

#[derive(Serialize)]
struct ValidateDocument {
    valid: bool,
    warnings: Vec<String>,
}

pub fn run(around: &Surroundings, action: ConfigAction) -> Result<Ended> {
    let ui = around.ui;
    let inputs = wiring::inputs(&around.globals, &around.environment);
    match action {
        ConfigAction::Show => {
            let settings = config::load(&inputs)?;
            let values = config::show(&settings);
            if ui.is_text() {
                let mut table = Table::new(&[("KEY", Align::Left), ("VALUE", Align::Left), ("FROM", Align::Left)]);
                for value in values {
                    table.row(vec![value.key.to_string(), value.value, value.origin]);
                }
                out::data(&table.render());
                warn(around, &settings.warnings);
            } else {
                ui.document("config_show", &ShowDocument { settings: values, warnings: settings.warnings });
            }
        }
        ConfigAction::Validate => {
            let warnings = config::validate(&inputs)?;
            if ui.is_text() {
                warn(around, &warnings);
                out::data("the configuration is valid");
            } else {
                ui.document("config_validate", &ValidateDocument { valid: true, warnings });
            }
        }
        ConfigAction::Schema => {
            out::data(&serde_json::to_string_pretty(&config::json_schema()).map_err(anyhow::Error::new)?);
        }
    }
    Ok(None)
}

fn warn(around: &Surroundings, warnings: &[String]) {
    for text in warnings {
        around.ui.say(&crate::ui::lines::warning(text, None));
    }
}
