//! The list of collectors. To add one: write `collect/<name>.rs` with `pub const COLLECTOR: Collector`, name it here,
//! describe its files in `doc/format.md`.

use super::context::Collector;
use super::{access_grants, database_roles, encryption, extension_state, functions, managed_objects, policies};
use super::{edge_functions, migration_history, migrations, project, storage, user_roles, users};

/// Every collector, in the order in which they run within their stage.
pub const ALL: &[Collector] = &[
    policies::COLLECTOR,
    functions::COLLECTOR,
    database_roles::COLLECTOR,
    access_grants::COLLECTOR,
    extension_state::COLLECTOR,
    encryption::COLLECTOR,
    managed_objects::COLLECTOR,
    migrations::COLLECTOR,
    edge_functions::COLLECTOR,
    project::COLLECTOR,
    users::COLLECTOR,
    user_roles::COLLECTOR,
    migration_history::COLLECTOR,
    storage::COLLECTOR,
];
