//! Random schemas of a few tables, and rows for them: what `labels.rs` compares.

use stacksnap::model::name::QualifiedName;
use stacksnap::model::tenant_settings::{TenantSettings, VirtualReference};

/// A small generator: the same number gives the same case for ever.
pub struct Dice(pub u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % n
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Own {
    None,
    Linked {
        not_null: bool,
    },
    /// No foreign key: may name a tenant that is not there.
    Unlinked,
}

#[derive(Debug)]
pub struct Ref {
    pub parent: usize,
    pub not_null: bool,
    pub cascade: bool,
    /// To `code`, which is unique, not to the primary key.
    pub by_code: bool,
}

#[derive(Debug)]
pub struct Table {
    pub own: Own,
    pub refs: Vec<Ref>,
    /// A polymorphic reference to these two.
    pub poly: Option<(usize, usize)>,
    pub rows: Vec<RowOf>,
}

#[derive(Debug)]
pub struct RowOf {
    pub org: Option<u64>,
    pub refs: Vec<Option<usize>>,
    pub poly: Option<(usize, u64)>,
}

/// Ids of rows begin with 1; there are three tenants, and 9 is none.
pub fn generate(dice: &mut Dice) -> Vec<Table> {
    let count = 2 + dice.below(5) as usize;
    let sizes: Vec<u64> = (0..count).map(|_| 1 + dice.below(7)).collect();
    (0..count)
        .map(|n| {
            let own = match dice.below(6) {
                0 | 1 => Own::Linked { not_null: dice.one_in(2) },
                2 => Own::Unlinked,
                _ => Own::None,
            };
            let refs: Vec<Ref> = (0..dice.below(4))
                .map(|_| Ref {
                    parent: dice.below(count as u64) as usize,
                    not_null: dice.one_in(2),
                    cascade: dice.one_in(3),
                    by_code: dice.one_in(4),
                })
                .collect();
            let poly = dice
                .one_in(4)
                .then(|| (dice.below(count as u64) as usize, dice.below(count as u64) as usize))
                .filter(|(a, b)| a != b);
            let rows = (0..sizes[n]).map(|_| RowOf {
                org: match own {
                    Own::Linked { not_null } => (not_null || !dice.one_in(3)).then(|| 1 + dice.below(3)),
                    Own::Unlinked => (!dice.one_in(3)).then(|| if dice.one_in(4) { 9 } else { 1 + dice.below(3) }),
                    Own::None => None,
                },
                refs: refs
                    .iter()
                    .map(|r| (r.not_null || !dice.one_in(3)).then(|| 1 + dice.below(sizes[r.parent]) as usize))
                    .collect(),
                // Some name a row that is not there.
                poly: poly
                    .filter(|_| !dice.one_in(3))
                    .map(|(a, b)| if dice.one_in(2) { (a, 1 + dice.below(9)) } else { (b, 1 + dice.below(9)) }),
            });
            let rows = rows.collect();
            Table { own, refs, poly, rows }
        })
        .collect()
}

pub fn ddl(tables: &[Table]) -> String {
    let mut out = String::from(
        "DROP SCHEMA IF EXISTS g CASCADE; CREATE SCHEMA g; CREATE TABLE g.orgs (id int PRIMARY KEY, name text);\nINSERT INTO g.orgs VALUES (1, 'a'), (2, 'b'), (3, 'c');\n",
    );
    let value = |v: Option<u64>| v.map_or("NULL".to_string(), |v| v.to_string());
    for (n, table) in tables.iter().enumerate() {
        let mut columns = vec!["id int PRIMARY KEY".to_string(), "code text UNIQUE NOT NULL".to_string()];
        match table.own {
            Own::Linked { not_null } => columns.push(format!("org_id int {}", if not_null { "NOT NULL" } else { "" })),
            Own::Unlinked => columns.push("org_id int".to_string()),
            Own::None => {}
        }
        for (at, r) in table.refs.iter().enumerate() {
            columns.push(format!(
                "r{at} {} {}",
                if r.by_code { "text" } else { "int" },
                if r.not_null { "NOT NULL" } else { "" }
            ));
        }
        if table.poly.is_some() {
            columns.push("of_type text, of_id text".to_string());
        }
        out.push_str(&format!("CREATE TABLE g.t{n} ({});\n", columns.join(", ")));
        for (id, row) in table.rows.iter().enumerate() {
            let id = id + 1;
            let mut values = vec![id.to_string(), format!("'c{id}'")];
            if table.own != Own::None {
                values.push(value(row.org));
            }
            for (r, to) in table.refs.iter().zip(&row.refs) {
                values.push(match (to, r.by_code) {
                    (None, _) => "NULL".to_string(),
                    (Some(to), true) => format!("'c{to}'"),
                    (Some(to), false) => to.to_string(),
                });
            }
            if table.poly.is_some() {
                values.push(row.poly.map_or("NULL, NULL".to_string(), |(to, id)| format!("'t{to}', '{id}'")));
            }
            out.push_str(&format!("INSERT INTO g.t{n} VALUES ({});\n", values.join(", ")));
        }
    }
    for (n, table) in tables.iter().enumerate() {
        if let Own::Linked { .. } = table.own {
            out.push_str(&format!("ALTER TABLE g.t{n} ADD FOREIGN KEY (org_id) REFERENCES g.orgs;\n"));
        }
        for (at, r) in table.refs.iter().enumerate() {
            let column = if r.by_code { "code" } else { "id" };
            let action = if r.cascade { "ON DELETE CASCADE" } else { "" };
            out.push_str(&format!(
                "ALTER TABLE g.t{n} ADD FOREIGN KEY (r{at}) REFERENCES g.t{} ({column}) {action};\n",
                r.parent
            ));
        }
    }
    out
}

pub fn name(n: usize) -> QualifiedName {
    QualifiedName::new("g", format!("t{n}"))
}

pub fn settings(tables: &[Table]) -> TenantSettings {
    let mut settings = TenantSettings {
        root: Some(QualifiedName::new("g", "orgs")),
        columns: vec!["org_id".into()],
        ..TenantSettings::default()
    };
    for (n, table) in tables.iter().enumerate() {
        for to in table.poly.iter().flat_map(|(a, b)| [*a, *b]) {
            let when = format!("of_type = 't{to}'");
            let found =
                VirtualReference::parse(&format!("g.t{n}"), &format!("g.t{to}"), Some(&when), "p.id::text = t.of_id");
            settings.references.push(found.unwrap());
        }
    }
    settings
}
