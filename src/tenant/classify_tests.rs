//! Classes and paths of small schemas, each for one trap.

use super::*;
use crate::model::relations::{ForeignKey, Relation, RelationColumn, UniqueKey};
use crate::model::tenancy::TableTenancy;
use crate::tenant::candidates::candidates;
use crate::tenant::roots;

fn name(text: &str) -> QualifiedName {
    if text.contains('.') { QualifiedName::parse(text).unwrap() } else { QualifiedName::new("public", text) }
}

/// Tables as `name: column, column! NOT NULL, …; the first is the primary key`, and keys as `child.column -> parent.column`
/// with `cascade` behind it.
fn schema(tables: &[(&str, &str)], keys: &[&str]) -> Relations {
    let mut relations = Relations::default();
    for (oid, (table, columns)) in tables.iter().enumerate() {
        let columns: Vec<&str> = columns.split(", ").collect();
        let family = |c: &str| if c.contains("email") || c.contains("_type") || c == "slug" { "text" } else { "int" };
        let relation = Relation {
            oid: u32::try_from(oid).unwrap(),
            name: name(table),
            partitioned: false,
            columns: columns
                .iter()
                .enumerate()
                .map(|(n, c)| RelationColumn {
                    name: c.trim_end_matches(['!', '^']).to_string(),
                    type_name: family(c).to_string(),
                    not_null: n == 0 || c.ends_with('!'),
                    text_family: Some(family(c.trim_end_matches(['!', '^'])).to_string()),
                })
                .collect(),
            keys: columns
                .iter()
                .enumerate()
                .filter(|(n, c)| *n == 0 || c.ends_with('^'))
                .map(|(n, c)| UniqueKey { columns: vec![c.trim_end_matches(['!', '^']).to_string()], primary: n == 0 })
                .collect(),
            extension: None,
        };
        relations.tables.push(relation);
    }
    relations.tables.sort_by(|a, b| (&a.name.schema, &a.name.name).cmp(&(&b.name.schema, &b.name.name)));
    for (n, key) in keys.iter().enumerate() {
        let (left, right) = key.split_once(" -> ").unwrap();
        let (right, cascade) = right.strip_suffix(" cascade").map_or((right, false), |right| (right, true));
        let side = |text: &str| {
            let (table, columns) = text.rsplit_once('.').unwrap();
            (name(table), columns.split('+').map(str::to_string).collect::<Vec<_>>())
        };
        let ((child, columns), (parent, parent_columns)) = (side(left), side(right));
        let operators = columns.iter().map(|_| "OPERATOR(pg_catalog.=)".to_string()).collect();
        relations.foreign_keys.push(ForeignKey {
            name: format!("k{n}"),
            child,
            columns,
            parent,
            parent_columns,
            operators,
            on_delete_cascade: cascade,
            trusted: true,
        });
    }
    relations
}

fn decided(relations: &Relations, settings: &TenantSettings) -> Result<Tenancy> {
    let root = roots::root(relations, settings, &candidates(relations, &settings.columns))?;
    classify(relations, &root, settings, false)
}

fn tenancy(tables: &[(&str, &str)], keys: &[&str]) -> Tenancy {
    decided(&schema(tables, keys), &TenantSettings { root: Some(name("orgs")), ..TenantSettings::default() }).unwrap()
}

fn entry<'t>(tenancy: &'t Tenancy, table: &str) -> &'t TableTenancy {
    tenancy.table(&name(table)).unwrap()
}

fn path(tenancy: &Tenancy, table: &str) -> String {
    tenancy.path_text(entry(tenancy, table))
}

#[test]
fn the_parent_that_deletes_decides_and_the_nearer_one_is_still_checked() {
    // Pruning references by their distance alone took products for the owner and saw no leak.
    let found = tenancy(
        &[
            ("orgs", "id"),
            ("products", "id, org_id!"),
            ("areas", "id, org_id!"),
            ("rentals", "id, area_id!"),
            ("rental_lines", "id, product_id!, rental_id!"),
        ],
        &[
            "products.org_id -> orgs.id",
            "areas.org_id -> orgs.id",
            "rentals.area_id -> areas.id",
            "rental_lines.product_id -> products.id",
            "rental_lines.rental_id -> rentals.id cascade",
        ],
    );
    assert_eq!(path(&found, "rental_lines"), "rental_id -> public.rentals.area_id -> public.areas.org_id");
    let lines = entry(&found, "rental_lines");
    assert_eq!((lines.class, lines.certain, lines.level), (Class::Derived, true, 1));
    let checked: Vec<&str> = lines.checks.iter().map(|at| found.references[*at].parent.name.as_str()).collect();
    assert_eq!(checked, ["products"]);
}

#[test]
fn a_tenant_column_that_may_be_empty_goes_on_with_a_path() {
    let found = tenancy(
        &[("orgs", "id"), ("areas", "id, org_id!"), ("notes", "id, org_id, area_id")],
        &["areas.org_id -> orgs.id", "notes.org_id -> orgs.id", "notes.area_id -> areas.id"],
    );
    assert_eq!(
        (entry(&found, "notes").class, path(&found, "notes").as_str()),
        (Class::Direct, "org_id, else area_id -> public.areas.org_id")
    );
    assert!(!entry(&found, "notes").certain);
    // The area is checked: the column may say something else.
    assert_eq!(entry(&found, "notes").checks.len(), 1);
    // Where the column is always filled there is nothing to go on with.
    let found = tenancy(
        &[("orgs", "id"), ("areas", "id, org_id!"), ("notes", "id, org_id!, area_id")],
        &["areas.org_id -> orgs.id", "notes.org_id -> orgs.id", "notes.area_id -> areas.id"],
    );
    assert_eq!((path(&found, "notes").as_str(), entry(&found, "notes").checks.len()), ("org_id", 1));
}

#[test]
fn a_key_to_something_unique_that_is_no_primary_key_is_followed() {
    let found = tenancy(
        &[("orgs", "id, slug^"), ("hosts", "id, slug!"), ("pages", "id, host!")],
        &["hosts.slug -> orgs.slug", "pages.host -> hosts.id"],
    );
    assert_eq!((entry(&found, "hosts").class, path(&found, "hosts").as_str()), (Class::Derived, "slug -> public.orgs"));
    assert_eq!(path(&found, "pages"), "host -> public.hosts.slug -> public.orgs");
    assert_eq!(found.references[0].columns[0].parent, "slug");
}

#[test]
fn a_root_row_owns_itself() {
    let found = tenancy(&[("orgs", "id, parent_org")], &["orgs.parent_org -> orgs.id"]);
    let root = entry(&found, "orgs");
    assert_eq!((root.class, root.circle, found.references.len()), (Class::Root, None, 0));
    assert!(root.paths.is_empty() && root.checks.is_empty());
}

#[test]
fn the_place_in_a_key_says_which_column_is_the_tenants() {
    let found = tenancy(
        &[
            ("orgs", "id"),
            ("invoices", "id, org_id!, number!"),
            ("invoice_lines", "id, holder!, invoice!"),
            ("line_notes", "id, a!, b!"),
        ],
        &[
            "invoices.org_id -> orgs.id",
            "invoice_lines.invoice+holder -> invoices.number+org_id",
            "line_notes.a+b -> invoice_lines.id+holder",
        ],
    );
    assert_eq!((path(&found, "invoice_lines").as_str(), path(&found, "line_notes").as_str()), ("holder", "b"));
    assert_eq!(entry(&found, "line_notes").class, Class::Direct);
    // Such a key only says again what both columns say.
    assert!(found.references.is_empty());
}

#[test]
fn circles_that_a_tenant_column_ends_need_no_going_round() {
    let found = tenancy(
        &[("orgs", "id"), ("departments", "id, org_id!, head_id!"), ("employees", "id, department_id!")],
        &[
            "departments.org_id -> orgs.id",
            "departments.head_id -> employees.id",
            "employees.department_id -> departments.id",
        ],
    );
    assert!(found.tables.iter().all(|t| t.circle.is_none()));
    // The head may be of another tenant.
    assert_eq!(entry(&found, "departments").checks.len(), 1);
    let found = tenancy(
        &[
            ("orgs", "id"),
            ("channels", "id, org_id!"),
            ("messages", "id, channel_id, reply_to"),
            ("drafts", "id, message_id!, channel_id!"),
        ],
        &[
            "channels.org_id -> orgs.id",
            "messages.channel_id -> channels.id",
            "messages.reply_to -> messages.id",
            "drafts.message_id -> messages.id cascade",
            "drafts.channel_id -> channels.id",
        ],
    );
    assert!(entry(&found, "messages").circle.is_some() && entry(&found, "drafts").circle.is_none());
    assert_eq!(path(&found, "messages"), "channel_id -> public.channels.org_id, else reply_to -> public.messages ..");
    // The message decides, and the channel where the message has no owner.
    assert_eq!(
        path(&found, "drafts"),
        "message_id -> public.messages.channel_id -> public.channels.org_id, else channel_id -> public.channels.org_id"
    );
}

#[test]
fn two_tenants_in_a_row_are_ambiguous_until_somebody_says() {
    let tables = [
        ("orgs", "id"),
        ("transfers", "id, from_org!, to_org!"),
        ("items", "id, transfer_id!"),
        ("named", "id, org_id!, other_org!"),
    ];
    let keys = [
        "transfers.from_org -> orgs.id",
        "transfers.to_org -> orgs.id",
        "items.transfer_id -> transfers.id",
        "named.org_id -> orgs.id",
        "named.other_org -> orgs.id",
    ];
    let found = tenancy(&tables, &keys);
    assert_eq!((entry(&found, "transfers").class, entry(&found, "items").class), (Class::Ambiguous, Class::Ambiguous));
    assert_eq!((entry(&found, "named").class, path(&found, "named").as_str()), (Class::Direct, "org_id"));
    let relations = schema(&tables, &keys);
    let mut settings = TenantSettings { root: Some(name("orgs")), ..TenantSettings::default() };
    settings.owner_via.insert(name("transfers"), "to_org".to_string());
    let found = decided(&relations, &settings).unwrap();
    assert_eq!((path(&found, "transfers").as_str(), entry(&found, "transfers").checks.len()), ("to_org", 1));
    assert_eq!(entry(&found, "items").class, Class::Derived);
    settings.owner_via.clear();
    settings.columns = vec!["from_org".to_string()];
    assert_eq!(path(&decided(&relations, &settings).unwrap(), "transfers"), "from_org");
}

#[test]
fn people_with_a_current_team_are_members_of_several() {
    let relations = schema(
        &[
            ("users", "id, email, current_team_id"),
            ("teams", "id, user_id!"),
            ("team_user", "id, team_id!, user_id!"),
            ("posts", "id, team_id!"),
            ("tokens", "id, user_id!"),
        ],
        &[
            "users.current_team_id -> teams.id",
            "teams.user_id -> users.id",
            "team_user.team_id -> teams.id",
            "team_user.user_id -> users.id",
            "posts.team_id -> teams.id",
            "tokens.user_id -> users.id",
        ],
    );
    let found = decided(&relations, &TenantSettings::default()).unwrap();
    assert_eq!((found.root.table.as_ref(), found.root.confirmed), (Some(&name("teams")), false));
    assert_eq!((entry(&found, "users").class, entry(&found, "tokens").class), (Class::Member, Class::Member));
    assert_eq!((entry(&found, "team_user").class, entry(&found, "posts").class), (Class::Direct, Class::Direct));
}

#[test]
fn favourites_and_roles_of_people_are_no_members_of_a_tenant() {
    let tables = [
        ("auth.users", "id, email"),
        ("profiles", "id, country_id, org_id"),
        ("countries", "id"),
        ("roles", "id"),
        ("user_roles", "id, user_id!, role_id!"),
        ("notes", "id, user_id!"),
        ("clinics", "id"),
        ("clinic_members", "id, clinic_id!, user_id!"),
        ("orgs", "id"),
    ];
    let keys = [
        "profiles.id -> auth.users.id",
        "profiles.country_id -> countries.id",
        "user_roles.user_id -> auth.users.id",
        "user_roles.role_id -> roles.id",
        "notes.user_id -> auth.users.id",
        "clinic_members.clinic_id -> clinics.id",
        "clinic_members.user_id -> auth.users.id",
        "profiles.org_id -> orgs.id",
    ];
    let root = |tables: &[(&str, &str)], keys: &[&str]| {
        let found = decided(&schema(tables, keys), &TenantSettings::default()).unwrap();
        (found.root.table.unwrap().name, found.root.membership.map(|m| m.name))
    };
    assert_eq!(root(&tables[..6], &keys[..5]), ("users".to_string(), None));
    // A table that is called after members makes a tenant of any table, a profile makes one of what is called a tenant.
    assert_eq!(root(&tables[..8], &keys[..7]), ("clinics".to_string(), Some("clinic_members".to_string())));
    assert_eq!(root(&tables, &keys), ("orgs".to_string(), Some("profiles".to_string())));
}

#[test]
fn a_column_of_a_tenants_name_with_a_key_to_another_table_is_none() {
    let found = tenancy(
        &[("orgs", "id"), ("ledgers", "id, org_id!"), ("plain", "id, org_id"), ("other", "id, org_id")],
        &["ledgers.org_id -> orgs.id", "other.org_id -> ledgers.id"],
    );
    assert_eq!((entry(&found, "plain").class, entry(&found, "other").class), (Class::Direct, Class::Derived));
    assert_eq!(entry(&found, "plain").column.as_ref().map(|c| c.verified), Some(false));
    // An `id` is in every table and says nothing, also where profiles have that of their user.
    let found = decided(
        &schema(
            &[("auth.users", "id, email"), ("profiles", "id"), ("cities", "id")],
            &["profiles.id -> auth.users.id"],
        ),
        &TenantSettings { root: Some(name("auth.users")), ..TenantSettings::default() },
    );
    let found = found.unwrap();
    assert_eq!((entry(&found, "profiles").class, entry(&found, "cities").class), (Class::Direct, Class::Shared));
}

#[test]
fn references_of_the_configuration_are_followed_and_suggested() {
    let tables =
        [("orgs", "id"), ("rentals", "id, org_id!"), ("files", "id, owner_type, owner_id"), ("tags", "id, file_id!")];
    let relations = schema(&tables, &["rentals.org_id -> orgs.id", "tags.file_id -> files.id"]);
    let mut settings = TenantSettings { root: Some(name("orgs")), ..TenantSettings::default() };
    let found = decided(&relations, &settings).unwrap();
    assert_eq!((entry(&found, "files").class, entry(&found, "tags").class), (Class::Ambiguous, Class::Ambiguous));
    assert_eq!(found.suggestions[0].table, name("files"));
    let reference =
        VirtualReference::parse("public.files", "public.rentals", Some("owner_type = 'rental'"), "p.id = t.owner_id");
    settings.references.push(reference.unwrap());
    let found = decided(&relations, &settings).unwrap();
    assert_eq!(
        (entry(&found, "files").class, path(&found, "tags").as_str()),
        (Class::Derived, "file_id -> public.files.owner_id -> public.rentals.org_id")
    );
    assert!(!entry(&found, "files").certain && found.suggestions.is_empty());
    settings.shared_tables = vec![name("files")];
    let found = decided(&relations, &settings).unwrap();
    assert_eq!((entry(&found, "files").class, entry(&found, "tags").class), (Class::Shared, Class::Shared));
}

#[test]
fn the_decision_survives_a_file() {
    let found = tenancy(&[("orgs", "id"), ("areas", "id, org_id")], &["areas.org_id -> orgs.id"]);
    let text = serde_json::to_string(&found).unwrap();
    assert_eq!(serde_json::from_str::<Tenancy>(&text).unwrap(), found);
}

use crate::model::tenant_settings::VirtualReference;
