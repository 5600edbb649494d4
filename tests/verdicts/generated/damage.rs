//! What happens to a database between its snapshot and the restore in place.

use super::objects::World;
use super::random::Random;

impl World {
    /// Statements, each to be run by itself: those that do not fit are refused.
    pub fn damage(&self) -> Vec<String> {
        let mut random = Random::new(self.seed ^ 0xDA_4A6E);
        let mut statements = Vec::new();
        for table in &self.tables {
            let kinds = [
                format!("DROP TABLE {table} CASCADE"),
                format!("DELETE FROM ONLY {table} WHERE id > 8"),
                format!("UPDATE {table} SET id = id + 100"),
                format!("ALTER TABLE {table} ADD COLUMN came_later int DEFAULT 3"),
                format!("ALTER TABLE {table} DROP CONSTRAINT \"check 0\""),
                format!("ALTER TABLE {table} DROP COLUMN status CASCADE"),
                format!("ALTER TABLE {table} DISABLE ROW LEVEL SECURITY"),
                format!("DROP POLICY \"p 0\" ON {table}; CREATE POLICY \"p 0\" ON {table} USING (true)"),
                format!("ALTER TABLE {table} RENAME TO renamed"),
                format!("ALTER TABLE {table} ALTER status SET DEFAULT 'new'::varchar(3), ALTER note SET DEFAULT 'x'"),
                format!("DROP TRIGGER late ON {table}"),
                format!("GRANT ALL ON {table} TO PUBLIC"),
            ];
            for _ in 0..1 + random.below(2) {
                statements.push(random.one(&kinds).clone());
            }
        }
        let others = [
            "DROP SCHEMA \"Other s\" CASCADE",
            "DROP FUNCTION gen.twice CASCADE",
            "CREATE OR REPLACE FUNCTION gen.twice(t varchar) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT t'",
            "ALTER TYPE gen.mood ADD VALUE 'new' BEFORE 'sad'",
            "DROP TYPE gen.mood CASCADE",
            "ALTER DOMAIN gen.word DROP CONSTRAINT word_check",
            "DROP TABLE gen.parts CASCADE",
            "ALTER TABLE gen.parts DETACH PARTITION gen.part1",
            "DROP TABLE gen.child CASCADE",
            "ALTER TABLE gen.parent ALTER a SET DEFAULT 'w'",
            "DROP MATERIALIZED VIEW gen.mv0",
            "CREATE OR REPLACE VIEW gen.all_kinds AS SELECT kind, n FROM gen.kinds WHERE kind NOT IN ('a', 'z')",
            "SELECT setval('gen.numbers', -9)",
            "DROP PUBLICATION pub0; DROP STATISTICS gen.st1",
            "TRUNCATE gen.kinds CASCADE",
        ];
        for _ in 0..1 + random.below(3) {
            statements.push((*random.one(&others)).to_string());
        }
        statements
    }
}
