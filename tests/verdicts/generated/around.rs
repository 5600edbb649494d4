//! What stands around the objects: settings of the database and of roles, roles of every shape, default privileges,
//! owners.

use super::objects::World;

/// Settings that change how text is written or read, with values that differ from the default.
const SETTINGS: [(&str, &str); 26] = [
    ("quote_all_identifiers", "on"),
    ("standard_conforming_strings", "off"),
    ("bytea_output", "escape"),
    ("array_nulls", "off"),
    ("xmloption", "document"),
    ("extra_float_digits", "-3"),
    ("DateStyle", "SQL, DMY"),
    ("IntervalStyle", "iso_8601"),
    ("TimeZone", "Asia/Kolkata"),
    ("lc_monetary", "C"),
    ("search_path", "gen, public"),
    ("search_path", "\"Other s\", \"a,b\", public"),
    ("transform_null_equals", "on"),
    ("check_function_bodies", "off"),
    ("default_toast_compression", "pglz"),
    ("default_transaction_isolation", "serializable"),
    ("default_with_oids", "off"),
    ("row_security", "off"),
    ("backslash_quote", "on"),
    ("escape_string_warning", "off"),
    ("client_min_messages", "error"),
    ("default_text_search_config", "pg_catalog.german"),
    ("work_mem", "1234kB"),
    ("statement_timeout", "5min"),
    ("gen.custom", "it''s \\ \"q\""),
    ("temp_tablespaces", ""),
];

impl World {
    /// Settings of the database, roles: before anything else.
    pub fn set_around(&mut self) {
        if self.random.once_in(2) {
            for _ in 0..1 + self.random.below(3) {
                let (name, value) = *self.random.one(&SETTINGS);
                self.on_database(&format!("SET {name} = ''{}''", value.replace('\'', "''")));
            }
        }
        if self.random.once_in(6) {
            self.on_database("CONNECTION LIMIT 77");
        }
        if self.random.once_in(2) {
            self.make_roles();
        }
        if self.random.once_in(8) {
            self.around.push(
                "DO $$ BEGIN EXECUTE format('COMMENT ON DATABASE %I IS ''it''''s''', current_database()); END $$"
                    .into(),
            );
        }
    }

    fn on_database(&mut self, clause: &str) {
        self.around.push(format!(
            "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I {}', current_database()); END $$",
            clause.replace('%', "%%")
        ));
    }

    fn make_roles(&mut self) {
        let seed = self.seed;
        let name = |what: &str| format!("gen{seed}_{what}");
        let (group, maker, user) = (name("group"), name("maker"), name("user"));
        let odd = format!("\"gen{seed} Odd\"");
        self.roles = vec![user.clone(), odd.clone(), group.clone(), maker.clone()];
        let option = |world: &mut Self| {
            (*world.random.one(&[
                "",
                " NOINHERIT",
                " CREATEDB",
                " BYPASSRLS",
                " LOGIN",
                " LOGIN PASSWORD 'secret'",
                " VALID UNTIL '2031-02-03'",
                " CONNECTION LIMIT 3",
                " REPLICATION",
                " SUPERUSER",
            ]))
            .to_string()
        };
        for role in [&group, &odd, &user] {
            let option = option(self);
            self.around.push(format!("CREATE ROLE {role}{option}"));
        }
        self.around.push(format!("CREATE ROLE {maker} CREATEROLE"));
        self.around.push(format!("GRANT {group} TO {maker} WITH ADMIN OPTION"));
        let clauses: &[&str] = if self.major >= 16 {
            &[
                "",
                " WITH ADMIN TRUE",
                " WITH INHERIT FALSE",
                " WITH SET FALSE, INHERIT TRUE",
                " WITH ADMIN TRUE, SET FALSE",
            ]
        } else {
            &["", " WITH ADMIN OPTION"]
        };
        for member in [&odd, &user] {
            let (clause, other) = (*self.random.one(clauses), *self.random.one(clauses));
            self.around.push(format!("GRANT {group} TO {member}{clause}"));
            if self.random.once_in(2) {
                self.around.push(format!("SET ROLE {maker}; GRANT {group} TO {member}{other}; RESET ROLE"));
            }
        }
        let clause = *self.random.one(clauses);
        self.around.push(format!("GRANT {user} TO supabase_admin{clause}; GRANT pg_read_all_data TO {odd}{clause}"));
        if self.random.once_in(2) {
            let (setting, value) = *self.random.one(&SETTINGS);
            let role = self.random.one(&[&odd, &user]).to_string();
            self.around.push(format!("ALTER ROLE {role} SET {setting} = '{value}'"));
            self.around.push(format!(
                "DO $$ BEGIN EXECUTE format('ALTER ROLE {} IN DATABASE %I SET work_mem = ''2MB''', current_database()); END $$",
                role
            ));
        }
        self.around.push(format!("COMMENT ON ROLE {user} IS E'a \\\\ ''role'''"));
    }

    /// Owners, grants and default privileges of these roles, when everything is there.
    pub fn give_to_roles(&mut self) {
        let Some([user, odd, group, maker]) = self.roles.first_chunk::<4>().cloned() else { return };
        self.add(format!("GRANT CREATE, USAGE ON SCHEMA gen TO {user}, {odd}, {group} WITH GRANT OPTION"));
        for table in self.tables.clone() {
            match self.random.below(5) {
                0 => self.add(format!("ALTER TABLE {table} OWNER TO {user}")),
                1 => self.add(format!(
                    "GRANT ALL ON {table} TO {odd} WITH GRANT OPTION; SET ROLE {odd}; \
                    GRANT SELECT, INSERT (id) ON {table} TO {group}; RESET ROLE"
                )),
                2 => self
                    .add(format!("ALTER TABLE {table} OWNER TO {odd}; REVOKE DELETE, TRUNCATE ON {table} FROM {odd}")),
                3 => self.add(format!("CREATE POLICY \"of role\" ON {table} TO {user}, {odd} USING (true)")),
                _ => {}
            }
        }
        let statements = [
            format!(
                "ALTER DEFAULT PRIVILEGES FOR ROLE {user} IN SCHEMA gen GRANT EXECUTE ON FUNCTIONS TO {odd} WITH GRANT OPTION"
            ),
            format!("ALTER DEFAULT PRIVILEGES FOR ROLE {odd} REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC"),
            format!("ALTER DEFAULT PRIVILEGES FOR ROLE {user} GRANT USAGE ON SCHEMAS TO {group}"),
            format!("ALTER DEFAULT PRIVILEGES FOR ROLE {odd} REVOKE ALL ON TABLES FROM {odd}"),
            format!(
                "ALTER FUNCTION gen.twice(varchar) OWNER TO {odd}; GRANT EXECUTE ON FUNCTION gen.twice(varchar) TO {user}"
            ),
            format!("ALTER TYPE gen.mood OWNER TO {user}; REVOKE USAGE ON TYPE gen.mood FROM PUBLIC"),
            format!("ALTER SCHEMA \"Other s\" OWNER TO {odd}; GRANT ALL ON SCHEMA \"Other s\" TO {user}"),
            format!(
                "GRANT SELECT ON ALL TABLES IN SCHEMA gen TO {group}; GRANT USAGE ON ALL SEQUENCES IN SCHEMA gen TO {user}"
            ),
            format!(
                "SET ROLE {user}; CREATE TABLE gen.made_by (a int); CREATE VIEW gen.v_made AS SELECT * FROM gen.made_by; RESET ROLE"
            ),
            format!("ALTER SEQUENCE gen.numbers OWNER TO {odd}"),
            format!("GRANT SELECT ON gen.kinds TO {user}; ALTER MATERIALIZED VIEW gen.mvx OWNER TO {user}"),
            format!("CREATE SCHEMA AUTHORIZATION {maker}"),
            format!(
                "DO $$ BEGIN EXECUTE format('GRANT CONNECT, TEMP ON DATABASE %I TO {group} WITH GRANT OPTION', current_database()); END $$"
            ),
            "DO $$ BEGIN EXECUTE format('REVOKE TEMP ON DATABASE %I FROM PUBLIC', current_database()); END $$"
                .to_string(),
        ];
        for statement in statements {
            if self.random.once_in(2) {
                self.add(statement);
            }
        }
    }
}
